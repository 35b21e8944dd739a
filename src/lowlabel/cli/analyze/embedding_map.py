"""`lowlabel analyze map`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lowlabel.cli import options
from lowlabel.cli.groups import BackboneGroup, DataGroup, MachineGroup, grouped
from lowlabel.cli.options import option
from lowlabel.cli.pictures import PictureFile, picture_format, save_picture

if TYPE_CHECKING:
    from lowlabel.analysis import Collection
    from lowlabel.analysis.maps import MappedImages, ModelMap
    from lowlabel.datasets import ImageSet, OpenDataset
    from lowlabel.features import Backbone, ExtractionOptions


@grouped
def embedding_map(
    model: options.Models = None,
    dataset: options.Dataset = "demo",
    part: Annotated[
        str | None, option("Data", "Part of the dataset.", default="the evaluated part")
    ] = None,
    flags: Annotated[
        Path | None,
        option(
            "Data", "CSV file with the columns path and reason: images to mark.", default="none"
        ),
    ] = None,
    neighbours: Annotated[
        int, option("Results", "Neighbours of each image in UMAP's graph, itself included.")
    ] = 15,
    min_dist: Annotated[
        float, option("Results", "Least distance of points in the map, 0 to 1.")
    ] = 0.1,
    k: Annotated[
        int, option("Results", "Nearest others whose mean distance decides outliers.")
    ] = 10,
    spread: Annotated[
        float, option("Results", "Outliers are beyond Q3 + SPREAD × IQR of these distances.")
    ] = 1.7,
    seed: Annotated[int, option("Results", "Random seed of the layout.")] = 0,
    thumbnails: Annotated[
        int, option("Results", "Largest number of images that the page holds.")
    ] = 2000,
    output: PictureFile = None,
    *,
    data: DataGroup,
    backbone: BackboneGroup,
    machine: MachineGroup,
) -> None:
    """Draw UMAP maps of a part's embeddings: a picture, and a page that shows images (.html)."""
    from lowlabel.analysis import maps
    from lowlabel.arrays import as_integers
    from lowlabel.datasets import open_dataset
    from lowlabel.errors import InputError
    from lowlabel.features.key import slug
    from lowlabel.paths import results_dir, write_file

    maps.require_umap()
    if not model:
        raise InputError("map needs a --model", "For example: --model dino_vits16")
    as_integers(0, thumbnails=thumbnails)
    opened = open_dataset(dataset, class_list=data.class_list, allow_partial=data.allow_partial)
    images = _part(opened, part)
    output = output or results_dir() / f"{slug(f'{images.dataset}-{images.part}')}-map.png"
    picture_format(output)
    reasons = maps.read_flags(flags) if flags else {}
    chosen: dict[str, Any] = {
        "neighbours": neighbours,
        "min_dist": min_dist,
        "k": k,
        "spread": spread,
    }
    drawn: list[ModelMap] = []
    paths: tuple[str, ...] = ()
    for spec in model:
        loaded = backbone.load(spec, machine.device)
        shown = _embedded(loaded, images, machine.extraction(skip_bad_images=data.skip_bad_images))
        if drawn and shown.paths != paths:
            raise InputError(
                f"{loaded.name} could decode other images of {images.dataset} {images.part} than "
                f"{drawn[0].model}",
                "Fix or remove the images that cannot be decoded.",
            )
        paths = shown.paths
        found = maps.map_embeddings(
            shown.table.features, seed=seed, device=machine.device, **chosen
        )
        drawn.append(maps.ModelMap(loaded.name, found))
    marked = _marked(shown, reasons, images)
    mapped = maps.MappedImages(
        f"{images.dataset} {images.part}",
        shown.paths,
        shown.table.labels,
        images.class_names,
        marked,
    )
    rows = _with_picture(mapped, drawn, thumbnails, seed)
    page = maps.map_page(
        mapped, drawn, maps.thumbnails(rows, shown.picture, workers=machine.workers)
    )
    save_picture(maps.draw_maps(mapped, drawn), output)
    write_file(output.with_suffix(".html"), page)
    typer.echo(f"written: {output.with_suffix('.html')}", err=True)


def _part(opened: "OpenDataset", part: str | None) -> "ImageSet":
    from lowlabel.errors import UnknownNameError

    part = part or opened.division.evaluated
    if part not in opened.division.parts:
        raise UnknownNameError(f"part of {opened.name}", part, opened.division.parts)
    return opened.load(part)


def _embedded(
    backbone: "Backbone", images: "ImageSet", extraction: "ExtractionOptions"
) -> "Collection":
    from lowlabel.analysis import Collection
    from lowlabel.features import extract_shown

    table = extract_shown(backbone, images, extraction)
    if table.bad_images:
        typer.echo(f"left out: {len(table.bad_images)} images cannot be decoded", err=True)
    return Collection.of(images, table, backbone.transform.orientation)


def _marked(shown: "Collection", reasons: Mapping[str, str], images: "ImageSet") -> dict[int, str]:
    """Reasons by row; says how many of the flagged images are not in this part."""
    from lowlabel.errors import InputError

    marked = {row: reasons[path] for row, path in enumerate(shown.paths) if path in reasons}
    if reasons and not marked:
        raise InputError(
            f"none of the {len(reasons)} flagged images is in {images.dataset} {images.part}, "
            f"whose paths look like {shown.paths[0]}",
            "Give the paths relative to the dataset's folder, or another --part.",
        )
    if others := len(reasons) - len(marked):
        typer.echo(f"flags: {others} of {len(reasons)} images are not in {images.part}", err=True)
    return marked


def _with_picture(
    images: "MappedImages", models: "Sequence[ModelMap]", limit: int, seed: int
) -> list[int]:
    """The images whose thumbnail the page holds; says if these are not all."""
    import numpy as np

    from lowlabel.analysis.maps import shown_rows

    total = len(images.paths)
    first = np.any([each.map.outliers.flagged for each in models], axis=0)
    first[list(images.flags)] = True
    if limit < total:
        typer.echo(
            f"the page shows {limit:,} of {total:,} images, marked ones first; "
            f"--thumbnails {total} shows all",
            err=True,
        )
    return shown_rows(total, limit, first, seed)
