"""`lowlabel analyze compression`."""

from pathlib import Path
from typing import Annotated

import typer

from lowlabel.cli import options
from lowlabel.cli.groups import BackboneGroup, DataGroup, MachineGroup, grouped
from lowlabel.cli.options import RESULTS_FOLDER, option
from lowlabel.cli.pictures import save_picture
from lowlabel.cli.resumable import resumable


@grouped
def compression(
    model: options.Models = None,
    dataset: Annotated[
        str, option("Data", "NAME, NAME:DIVISION, folder:PATH or csv:FILE, with classes.")
    ] = "demo",
    post: Annotated[
        list[str] | None,
        option(
            "Protocol",
            "Compressions to measure, joined by +: truncate:128, int8, binary, truncate:128+int8. "
            "Repeats.",
            default="a half, a quarter and an eighth of the dimensions, int8, binary, and both",
        ),
    ] = None,
    method: Annotated[str, option("Protocol", "Few-shot method.")] = "ncm,norm=l2",
    tasks: Annotated[int, option("Protocol", "Number of few-shot tasks; 0 for none.")] = 2000,
    seed: Annotated[int, option("Protocol", "Random seed of the tasks.")] = 0,
    output: Annotated[
        Path | None,
        option("Results", "Folder of the table and the picture.", default=RESULTS_FOLDER),
    ] = None,
    *,
    data: DataGroup,
    backbone: BackboneGroup,
    machine: MachineGroup,
) -> None:
    """Measure what truncated, int8 and binary embeddings cost: score by bytes (.csv and .png)."""
    import pandas as pd

    from lowlabel.analysis.compression import (
        FewShotTasks,
        draw_compression,
        measure_compression,
        tabulate_compression,
    )
    from lowlabel.datasets import open_dataset
    from lowlabel.errors import InputError
    from lowlabel.escaping import csv_text
    from lowlabel.features import embed_dataset
    from lowlabel.paths import results_dir, short_name, writable_dir, write_file
    from lowlabel.progress import progress_bar

    if not model:
        raise InputError("compression needs a --model", "For example: --model dino_vits16")
    opened = open_dataset(dataset, class_list=data.class_list, allow_partial=data.allow_partial)
    division = opened.division
    if division.kind != "classes":
        raise InputError(f"{opened.name} has no classes", "Name a dataset with classes.")
    parts = [part for part in (division.gallery, division.evaluated) if part]
    folder = writable_dir(output or results_dir())
    measured = []
    with resumable():
        for spec in model:
            loaded = backbone.load(spec, machine.device)
            extraction = machine.extraction(skip_bad_images=data.skip_bad_images)
            embedded = embed_dataset(loaded, opened, parts, extraction)
            searched, images = embedded.gallery, embedded.evaluated
            with progress_bar(f"compressions of {loaded.name}", "embedding") as progress:
                measured.append(
                    measure_compression(
                        embedded.embedder.name,
                        images.features,
                        images.labels,
                        gallery=(searched.features, searched.labels) if searched else None,
                        chains=post or (),
                        fewshot=FewShotTasks(method, tasks=tasks, seed=seed) if tasks else None,
                        device=machine.device,
                        progress=progress,
                    )
                )
    table = pd.concat(measured, ignore_index=True)
    stem = folder / short_name(f"compression-{opened.name.replace(':', '-')}", 180)
    write_file(stem.with_name(f"{stem.name}.csv"), csv_text(table))
    typer.echo(tabulate_compression(table).to_string(index=False))
    typer.echo(f"written: {stem}.csv", err=True)
    save_picture(draw_compression(opened.title, table), stem.with_name(f"{stem.name}.png"))
