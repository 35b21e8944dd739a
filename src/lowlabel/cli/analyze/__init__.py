"""`lowlabel analyze`: pictures of what training and models see in images."""

from pathlib import Path
from typing import Annotated

import typer

from lowlabel.cli import options
from lowlabel.cli.analyze.attention import attention
from lowlabel.cli.analyze.compression import compression
from lowlabel.cli.analyze.data import bad_data, leakage
from lowlabel.cli.analyze.embedding_map import embedding_map
from lowlabel.cli.analyze.patches import patch_matching
from lowlabel.cli.analyze.retrieval import retrieval
from lowlabel.cli.analyze.training import epochs, training
from lowlabel.cli.command import LoadingCommand
from lowlabel.cli.groups import DataGroup, MachineGroup, grouped
from lowlabel.cli.options import RESULTS_FOLDER, option
from lowlabel.cli.pictures import read_picture, save_picture

app = typer.Typer(help="Draw what training and models see in images.", no_args_is_help=True)
app.command("attention", cls=LoadingCommand)(attention)
app.command("map", cls=LoadingCommand)(embedding_map)
app.command("retrieval", cls=LoadingCommand)(retrieval)
app.command("bad-data", cls=LoadingCommand)(bad_data)
app.command("leakage", cls=LoadingCommand)(leakage)
app.command("compression", cls=LoadingCommand)(compression)
app.command("patch-matching", cls=LoadingCommand)(patch_matching)
app.command("training", cls=LoadingCommand)(training)
app.command("epochs", cls=LoadingCommand)(epochs)


@app.command("base-classes", cls=LoadingCommand)
@grouped
def base_classes(
    model: options.Models = None,
    dataset: Annotated[str, option("Data", f"{options.IMAGES}, with base classes.")] = "demo",
    method: Annotated[
        str, option("Results", "dc or dc-sslvit, with options as in dc,k=3.")
    ] = "dc-sslvit",
    classes: Annotated[int, option("Results", "Novel classes in the picture.")] = 8,
    top: Annotated[int, option("Results", "Base classes shown for each model.")] = 3,
    output: Annotated[
        Path | None,
        option("Results", "Folder of the table and the picture.", default=RESULTS_FOLDER),
    ] = None,
    *,
    data: DataGroup,
    machine: MachineGroup,
) -> None:
    """Show which base classes Distribution Calibration borrows from, by model (.csv and .png)."""
    from lowlabel.analysis import draw_choices, tabulate_choices
    from lowlabel.analysis.base_class_survey import survey
    from lowlabel.datasets import open_dataset
    from lowlabel.errors import InputError
    from lowlabel.escaping import csv_text
    from lowlabel.features import embed_dataset, load_backbone
    from lowlabel.features.key import slug
    from lowlabel.paths import results_dir, writable_dir, write_file

    if not model:
        raise InputError("base-classes needs a --model", "For example: --model dino_vits16")
    if classes < 1 or top < 1:
        raise InputError(f"classes={classes} and top={top} must be at least 1")
    opened = open_dataset(dataset, class_list=data.class_list, allow_partial=data.allow_partial)
    base, novel = opened.division.train_part, opened.division.evaluated
    if base is None or opened.division.kind != "classes":
        raise InputError(f"{opened.name} has no base classes", "Give a dataset with a base part.")
    extraction = machine.extraction(skip_bad_images=data.skip_bad_images)
    backbones = (load_backbone(spec, device=machine.device) for spec in model)
    embedded = (embed_dataset(each, opened, (novel, base), extraction) for each in backbones)
    found = survey(embedded, method, machine.device)
    table = tabulate_choices(found.models)
    picture = draw_choices(found.models, found.spread(classes), found.examples, read_picture, top)

    folder = writable_dir(output or results_dir())
    stem = slug(f"base-classes-{opened.name}")
    write_file(folder / f"{stem}.csv", csv_text(table))
    save_picture(picture, folder / f"{stem}.png")
    shown = table.groupby(["model", "novel class"], sort=False).head(top)
    typer.echo(shown.to_string(index=False))
    typer.echo(f"written: {folder / stem}.csv", err=True)
