"""`lowlabel analyze`: pictures of what training and models see in images."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lowlabel.cli import options
from lowlabel.cli.analyze.attention import attention
from lowlabel.cli.analyze.data import bad_data, leakage
from lowlabel.cli.analyze.embedding_map import embedding_map
from lowlabel.cli.analyze.retrieval import retrieval
from lowlabel.cli.command import Command
from lowlabel.cli.groups import DataGroup, MachineGroup, grouped
from lowlabel.cli.options import RESULTS_FOLDER, option
from lowlabel.cli.pictures import PictureFile, read_picture, save_picture

if TYPE_CHECKING:
    from PIL.Image import Image

    from lowlabel.analysis import PatchedView
    from lowlabel.training.views.geometry import CropGeometry

app = typer.Typer(help="Draw what training and models see in images.", no_args_is_help=True)
app.command("attention", cls=Command)(attention)
app.command("map", cls=Command)(embedding_map)
app.command("retrieval", cls=Command)(retrieval)
app.command("bad-data", cls=Command)(bad_data)
app.command("leakage", cls=Command)(leakage)


@app.command("patch-matching", cls=Command)
def patch_matching(
    image: Annotated[Path, typer.Argument(help="An image file.")],
    output: PictureFile = None,
    patch: Annotated[int, option("Views", "Side of a patch in pixels.")] = 16,
    size: Annotated[int, option("Views", "Side of the views in pixels.")] = 224,
    seed: Annotated[int, option("Views", "Random seed of the crops and flips.")] = 0,
    matching: Annotated[
        str, option("Views", "containing (accurate) or reference (as PW-Self's authors).")
    ] = "containing",
    orientation: options.Orientation = "stored",
) -> None:
    """Draw two random views of an image with their corresponding patches, and list the pairs."""
    from lowlabel.analysis import draw_matches
    from lowlabel.paths import results_dir
    from lowlabel.training.methods.patch_matching import MATCHINGS
    from lowlabel.training.views.geometry import geometry_tensor

    match = MATCHINGS[matching]
    source = read_picture(image, orientation)
    crops = _draw_crops(source.size, size, seed)
    first, second = geometry_tensor(crops).split(1)
    matches = match(first, second, patch)
    a, b = matches.a[matches.mask].tolist(), matches.b[matches.mask].tolist()
    views = _view(source, crops[0], patch), _view(source, crops[1], patch)
    picture = draw_matches(source, views, list(zip(a, b, strict=True)))

    save_picture(picture, output or results_dir() / f"{image.stem}-patches.png")
    typer.echo(f"view 1: {' '.join(map(str, a))}")
    typer.echo(f"view 2: {' '.join(map(str, b))}")
    typer.echo(f"{len(a)} pairs of patches", err=True)


@app.command("base-classes", cls=Command)
@grouped
def base_classes(
    model: options.Models = None,
    dataset: Annotated[
        str, option("Data", "NAME, NAME:DIVISION or folder:PATH, with base classes.")
    ] = "demo",
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
    from lowlabel.features import embed_dataset, load_backbone
    from lowlabel.paths import results_dir, writable_dir, write_file

    if not model:
        raise InputError("base-classes needs a --model", "For example: --model dino_vits16")
    if classes < 1 or top < 1:
        raise InputError(f"classes={classes} and top={top} must be at least 1")
    opened = open_dataset(dataset, class_list=data.class_list, allow_partial=data.allow_partial)
    base, novel = opened.division.train_part, opened.division.evaluated
    if base is None:
        raise InputError(f"{opened.name} has no base classes", "Give a dataset with a base part.")
    extraction = machine.extraction(skip_bad_images=data.skip_bad_images)
    backbones = (load_backbone(spec, device=machine.device) for spec in model)
    embedded = (embed_dataset(each, opened, (novel, base), extraction) for each in backbones)
    found = survey(embedded, method, machine.device)
    table = tabulate_choices(found.models)
    picture = draw_choices(found.models, found.spread(classes), found.examples, read_picture, top)

    folder = writable_dir(output or results_dir())
    stem = f"base-classes-{opened.name.replace(':', '-')}"
    write_file(folder / f"{stem}.csv", table.to_csv(index=False))
    save_picture(picture, folder / f"{stem}.png")
    shown = table.groupby(["model", "novel class"], sort=False).head(top)
    typer.echo(shown.to_string(index=False))
    typer.echo(f"written: {folder / stem}.csv", err=True)


def _draw_crops(
    source: tuple[int, int], size: int, seed: int
) -> "tuple[CropGeometry, CropGeometry]":
    import numpy as np

    from lowlabel.errors import InputError
    from lowlabel.training.views.draws import draw_crop
    from lowlabel.training.views.recipe import ViewRecipe

    if seed < 0:
        raise InputError(f"seed must be at least 0, not {seed}")
    recipe = ViewRecipe(global_size=size)
    random = np.random.default_rng(seed)
    first, second = (
        draw_crop(random, source, recipe.global_scale, recipe.ratio, size, recipe.flip)
        for _ in range(2)
    )
    return first, second


def _view(source: "Image", crop: "CropGeometry", patch: int) -> "PatchedView":
    from lowlabel.analysis import PatchedView
    from lowlabel.training.views.multicrop import cut

    box = crop.left, crop.top, crop.left + crop.width, crop.top + crop.height
    return PatchedView(cut(source, crop), box, crop.size // patch, crop.flipped)
