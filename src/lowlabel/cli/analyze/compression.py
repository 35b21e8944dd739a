"""`lowlabel analyze compression`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lowlabel.cli import options
from lowlabel.cli.groups import BackboneGroup, DataGroup, MachineGroup, grouped
from lowlabel.cli.options import RESULTS_FOLDER, option
from lowlabel.cli.pictures import save_picture

if TYPE_CHECKING:
    from lowlabel.analysis.compression import FewShotTasks
    from lowlabel.benchmarks.protocols import Protocol
    from lowlabel.datasets import OpenDataset


@grouped
def compression(
    model: options.Models = None,
    dataset: Annotated[
        str,
        option("Data", f"{options.IMAGES}, with classes, landmarks or copies."),
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
    method: Annotated[
        str | None, option("Protocol", "Few-shot method.", default="ncm,norm=l2")
    ] = None,
    tasks: Annotated[
        int | None,
        option(
            "Protocol", "Number of few-shot tasks; 0 for none.", default="2000 if there are classes"
        ),
    ] = None,
    seed: Annotated[
        int | None, option("Protocol", "Random seed of the tasks.", default="0")
    ] = None,
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
        draw_compression,
        measure_compression,
        search_of,
        tabulate_compression,
    )
    from lowlabel.datasets import open_dataset
    from lowlabel.errors import InputError
    from lowlabel.escaping import csv_text
    from lowlabel.features import embed_dataset
    from lowlabel.features.key import slug
    from lowlabel.paths import results_dir, writable_dir, write_file
    from lowlabel.progress import progress_bar

    if not model:
        raise InputError("compression needs a --model", "For example: --model dino_vits16")
    opened = open_dataset(dataset, class_list=data.class_list, allow_partial=data.allow_partial)
    division = opened.division
    if division.kind in ("labels", "distractors"):
        has = "several labels for each image" if division.kind == "labels" else "no labels"
        raise InputError(
            f"{opened.name} has {has}", "Name a dataset with classes, landmarks or copies."
        )
    fewshot = _few_shot(opened, method, tasks, seed)
    protocol, asked = _protocol(opened), backbone.options(machine.device)
    folder = writable_dir(output or results_dir())
    measured = []
    for spec in model:
        loaded = protocol.fitted(protocol.backbone(asked).load(spec), asked)
        extraction = machine.extraction(skip_bad_images=data.skip_bad_images)
        embedded = embed_dataset(loaded, opened, protocol.needs(division), extraction)
        with progress_bar(f"compressions of {loaded.name}", "embedding") as progress:
            measured.append(
                measure_compression(
                    embedded.embedder.name,
                    search_of(division.kind, embedded),
                    chains=post or (),
                    fewshot=fewshot,
                    device=machine.device,
                    progress=progress,
                )
            )
    table = pd.concat(measured, ignore_index=True)
    stem = folder / slug(f"compression-{opened.name}")
    write_file(stem.with_name(f"{stem.name}.csv"), csv_text(table))
    typer.echo(tabulate_compression(table).to_string(index=False))
    typer.echo(f"written: {stem}.csv", err=True)
    save_picture(draw_compression(opened.title, table), stem.with_name(f"{stem.name}.png"))


def _protocol(opened: "OpenDataset") -> "Protocol":
    """The protocol of the suite `retrieval`, which says how its images are embedded."""
    from lowlabel.benchmarks.suite import load_suite

    every = load_suite("retrieval").protocols
    found = next(protocol for protocol in every if protocol.needs(opened.division))
    return found.for_dataset(opened.dataset)


def _few_shot(
    opened: "OpenDataset", method: str | None, tasks: int | None, seed: int | None
) -> "FewShotTasks | None":
    """The few-shot tasks that go with retrieval; none of landmarks and copies."""
    from dataclasses import replace

    from lowlabel.analysis.compression import FewShotTasks
    from lowlabel.arrays import as_integers
    from lowlabel.errors import InputError

    if tasks is not None:
        as_integers(0, tasks=tasks)
    asked = {"method": method, "tasks": tasks, "seed": seed}
    named: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    division = opened.division
    if tasks == 0:
        return None
    if division.kind == "classes":
        fewshot = replace(FewShotTasks(), **named)
        fewshot.check(opened.load(division.evaluated).labels)
        return fewshot
    if named:
        raise InputError(
            f"--{next(iter(named))} is about few-shot tasks, and images of {division.evaluated} "
            "have no classes to make them of",
            "Leave it out.",
        )
    return None
