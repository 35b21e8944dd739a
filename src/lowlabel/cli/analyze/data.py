"""`lowlabel analyze bad-data` and `analyze leakage`: what is suspect about a dataset's images."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lowlabel.cli import options
from lowlabel.cli.groups import BackboneGroup, DataGroup, MachineGroup, grouped
from lowlabel.cli.options import RESULTS_FOLDER, option
from lowlabel.cli.pictures import save_picture

if TYPE_CHECKING:
    import pandas as pd

    from lowlabel.analysis.bad_data.pool import Pool
    from lowlabel.datasets import ImageSet, OpenDataset
    from lowlabel.features import Backbone, ExtractionOptions

Distance = Annotated[
    float | None,
    option(
        "Results",
        "Largest cosine distance of near duplicates.",
        default="0.13 × the median distance to the nearest image",
    ),
]
OutputFolder = Annotated[
    Path | None, option("Results", "Folder of the tables and pictures.", default=RESULTS_FOLDER)
]
Show = Annotated[int, option("Results", "Largest number of images in a picture.")]


@grouped
def bad_data(
    model: Annotated[str, option("Model", "A model, as for lowlabel run.")],
    dataset: options.Dataset,
    part: Annotated[
        list[str] | None,
        option("Data", "Part to look at. Repeats.", default="all parts of the division"),
    ] = None,
    neighbours: Annotated[
        int, option("Results", "Nearest others that outliers are judged by.")
    ] = 10,
    distance: Distance = None,
    show: Show = 12,
    output: OutputFolder = None,
    *,
    data: DataGroup,
    backbone: BackboneGroup,
    machine: MachineGroup,
) -> None:
    """Flag outliers, duplicates, label errors, blank and damaged images (.csv and pictures)."""
    _check_engines()
    from lowlabel.analysis.bad_data.find import find_bad_data
    from lowlabel.analysis.bad_data.sheet import draw_flags
    from lowlabel.arrays import as_integers
    from lowlabel.datasets import open_dataset
    from lowlabel.escaping import csv_text
    from lowlabel.paths import results_dir, writable_dir, write_files

    as_integers(1, show=show)
    opened = open_dataset(dataset, class_list=data.class_list, allow_partial=data.allow_partial)
    parts = _parts(opened, part)
    folder = writable_dir(output or results_dir())
    loaded = backbone.load(model, machine.device)
    extraction = machine.extraction(skip_bad_images=True)  # they are flagged
    pool = _pool(opened, parts, loaded, extraction)
    found = find_bad_data(
        pool,
        k=neighbours,
        distance=distance,
        labelled=opened.division.kind == "classes",
        shared_classes=opened.division.shared_classes,
        workers=machine.workers,
        device=machine.device,
    )
    tables = {"flags.csv": found.flags, "scores.csv": found.scores}
    write_files({folder / name: csv_text(table) for name, table in tables.items()})
    for reason, flags in found.flags.groupby("reason", sort=False):
        if reason != "unreadable":
            picture = draw_flags(flags, pool, found.within, count=show)
            save_picture(picture, folder / f"{reason}.jpg")
    for note in found.notes:
        typer.echo(f"left out: {note}", err=True)
    typer.echo(_summary(found.flags, parts))
    typer.echo(f"written: {folder / 'flags.csv'}, {folder / 'scores.csv'}", err=True)


@grouped
def leakage(
    pretraining: Annotated[
        str,
        typer.Argument(help=f"Pretraining data, as for lowlabel pretrain: {options.IMAGES}."),
    ],
    test: Annotated[
        str,
        typer.Argument(help=f"Dataset that is scored: {options.IMAGES}."),
    ],
    model: Annotated[str, option("Model", "A model, as for lowlabel run.")],
    pretraining_part: Annotated[
        list[str] | None,
        option("Data", "Part of the pretraining data. Repeats.", default="that pretrain trains on"),
    ] = None,
    part: Annotated[
        list[str] | None,
        option(
            "Data", "Part of the scored dataset. Repeats.", default="evaluated part and gallery"
        ),
    ] = None,
    distance: Distance = None,
    show: Show = 12,
    output: OutputFolder = None,
    *,
    data: DataGroup,
    backbone: BackboneGroup,
    machine: MachineGroup,
) -> None:
    """Find images of a dataset that pretraining data hold too, or nearly (.csv and picture)."""
    from lowlabel.analysis.bad_data.leaked import leaked_images
    from lowlabel.analysis.bad_data.sheet import draw_flags
    from lowlabel.arrays import as_integers
    from lowlabel.datasets import open_dataset
    from lowlabel.escaping import csv_text
    from lowlabel.paths import results_dir, writable_dir, write_file

    as_integers(1, show=show)
    opened = open_dataset(test, class_list=data.class_list, allow_partial=data.allow_partial)
    scored = (opened.division.gallery, opened.division.evaluated)
    parts = _parts(opened, part or [name for name in scored if name])
    searched = _pretraining(pretraining, pretraining_part, data)
    folder = writable_dir(output or results_dir())
    loaded = backbone.load(model, machine.device)
    extraction = machine.extraction(skip_bad_images=data.skip_bad_images)
    pool = _pool(opened, parts, loaded, extraction)
    found = leaked_images(
        pool, searched, loaded, extraction, distance=distance, device=machine.device
    )
    write_file(folder / "leakage.csv", csv_text(found.flags))
    if len(found.flags):
        picture = draw_flags(found.flags, pool, other_pool=found.partners, count=show)
        save_picture(picture, folder / "leakage.jpg")
    typer.echo(found.summary)
    typer.echo(f"written: {folder / 'leakage.csv'}", err=True)


def _check_engines() -> None:
    from lowlabel.errors import InputError

    missing = [name for name in ("cleanlab", "cleanvision") if find_spec(name) is None]
    if missing:
        raise InputError(
            f"bad-data needs {' and '.join(missing)}, which is not installed",
            "pip install 'lowlabel[analysis]'",
        )


def _parts(opened: "OpenDataset", asked: list[str] | None) -> list[str]:
    """The parts to look at, without repetition: the evaluated one first, which keeps duplicates."""
    from lowlabel.arrays import require_name

    division = opened.division
    for name in asked or ():
        require_name(f"part of {opened.name}", name, division.parts)
    first = [name for name in (division.evaluated, division.gallery) if name]
    return [name for name in dict.fromkeys((*first, *division.parts)) if not asked or name in asked]


def _pool(
    opened: "OpenDataset", parts: list[str], backbone: "Backbone", extraction: "ExtractionOptions"
) -> "Pool":
    """The images of some parts with their embeddings."""
    from lowlabel.analysis.bad_data.pool import Pool
    from lowlabel.features import extract_shown

    images = [opened.load(name) for name in parts]
    embedded = [(each, extract_shown(backbone, each, extraction)) for each in images]
    return Pool.of(embedded, backbone.transform.orientation)


def _pretraining(spec: str, parts: list[str] | None, data: DataGroup) -> "list[ImageSet]":
    from lowlabel.datasets import open_dataset
    from lowlabel.training.listing import list_pretrain_data

    if parts is None:
        return [list_pretrain_data(spec, allow_partial=data.allow_partial).images]
    opened = open_dataset(spec, allow_partial=data.allow_partial)
    return [opened.load(name) for name in _parts(opened, parts)]


def _summary(flags: "pd.DataFrame", parts: list[str]) -> str:
    """Number of flagged images by reason and part."""
    if flags.empty:
        return "no image is flagged"
    counts = flags.groupby(["reason", "part"], sort=False).size().unstack(fill_value=0)
    return str(counts.reindex(columns=parts, fill_value=0).to_string())
