"""`lowlabel analyze retrieval`, and the galleries of a run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from lowlabel.cli import options
from lowlabel.cli.groups import BackboneGroup, DataGroup, MachineGroup, grouped
from lowlabel.cli.options import option
from lowlabel.cli.pictures import PictureFile, save_picture

if TYPE_CHECKING:
    from lowlabel.analysis import Collection, Tile
    from lowlabel.benchmarks.runner import Watch
    from lowlabel.benchmarks.subject import Subject
    from lowlabel.benchmarks.suite import RetrievalProtocol
    from lowlabel.datasets import OpenDataset
    from lowlabel.features import Backbone
    from lowlabel.results import Record

_TOP = 10


@grouped
def retrieval(
    model: Annotated[str, option("Model", "A model, as for lowlabel run.")],
    dataset: Annotated[str, option("Data", "NAME, NAME:DIVISION or folder:PATH.")],
    query: Annotated[
        list[str] | None,
        option(
            "Results",
            "Image of the dataset (its path or the end of it) or an image file. Repeats.",
            default="the worst queries",
        ),
    ] = None,
    worst: Annotated[int, option("Results", "Number of worst queries.")] = 8,
    top: Annotated[int, option("Results", "Images to show for each query.")] = _TOP,
    post: options.Posts = None,
    train_features: options.TrainFeatures = None,
    output: PictureFile = None,
    *,
    data: DataGroup,
    backbone: BackboneGroup,
    machine: MachineGroup,
) -> None:
    """Draw queries with the images that a model finds for them, marked as right or wrong."""
    from lowlabel.analysis import draw_gallery, retrieved, worst_queries
    from lowlabel.benchmarks.plan import division_for
    from lowlabel.benchmarks.subject import embed_dataset, with_train_features
    from lowlabel.datasets import open_dataset
    from lowlabel.features.key import slug
    from lowlabel.paths import results_dir
    from lowlabel.retrieval.post import build_post

    learns = any(build_post(spec).needs_train for spec in post or ())
    loaded = backbone.load(model, machine.device)
    division = division_for(dataset, "retrieval")
    opened = open_dataset(dataset, division, allow_partial=data.allow_partial)
    extraction = machine.extraction(skip_bad_images=data.skip_bad_images)
    subject = embed_dataset(loaded, opened, extraction, with_base=learns and train_features is None)
    if train_features:
        subject = with_train_features(subject, train_features)
    queries, gallery = _collections(opened, subject)
    train = subject.base.features if subject.base else None
    chosen = {"train": train, "post": tuple(post or ()), "device": machine.device}
    if query:
        drawn = _chosen(loaded, queries, gallery, query, top, **chosen)
    else:
        rows = worst_queries(queries, gallery, worst, **chosen)
        drawn = retrieved(queries, gallery, rows, top, **chosen)
    name = slug(f"{loaded.name}-{opened.dataset.name}-retrieval")
    save_picture(draw_gallery(drawn), output or results_dir() / f"{name}.png")


def gallery_writer(worst: int, output: Path, device: str) -> "Watch":
    """A watch that draws the worst queries of each retrieval of a run into `output/galleries`."""
    from lowlabel.analysis import draw_gallery, retrieved, worst_queries
    from lowlabel.errors import InputError
    from lowlabel.results import record_path

    if worst < 1:
        raise InputError(f"--worst {worst} must be at least 1")

    def write(
        opened: "OpenDataset", subject: "Subject", protocol: "RetrievalProtocol", record: "Record"
    ) -> None:
        queries, gallery = _collections(opened, subject)
        train = subject.base.features if subject.base else None
        chosen = {"train": train, "post": protocol.posts, "device": device}
        rows = worst_queries(queries, gallery, worst, **chosen)
        others = len((gallery or queries).paths) - (gallery is None)
        drawn = retrieved(queries, gallery, rows, min(_TOP, others), **chosen)
        path = record_path(output / "galleries", record.experiment).with_suffix(".png")
        save_picture(draw_gallery(drawn), path)

    return write


def _collections(
    opened: "OpenDataset", subject: "Subject"
) -> "tuple[Collection, Collection | None]":
    """The images of the evaluated part, and of the gallery if it is another part."""
    from lowlabel.analysis import Collection

    queries = Collection.of(opened.load(opened.division.evaluated), subject.evaluated)
    if opened.division.gallery is None or subject.gallery is None:
        return queries, None
    return queries, Collection.of(opened.load(opened.division.gallery), subject.gallery)


def _chosen(
    backbone: "Backbone",
    queries: "Collection",
    gallery: "Collection | None",
    names: list[str],
    top: int,
    **chosen: Any,
) -> "list[tuple[Tile, list[Tile]]]":
    """Tiles of the queries that the user names, images of the dataset first."""
    from lowlabel.analysis import retrieved

    found = {name: _find(queries, name) for name in names}
    rows = [row for row in found.values() if row is not None]
    drawn = retrieved(queries, gallery, rows, top, **chosen) if rows else []
    if files := [Path(name) for name, row in found.items() if row is None]:
        outsiders = _embedded(backbone, files, queries.root)
        drawn += retrieved(outsiders, gallery or queries, range(len(files)), top, **chosen)
    return drawn


def _find(queries: "Collection", name: str) -> int | None:
    """The row of the image whose path ends with `name`; None if there is no such image."""
    from lowlabel.errors import InputError

    ends = [row for row, path in enumerate(queries.paths) if f"/{path}".endswith(f"/{name}")]
    if len(ends) > 1:
        examples = ", ".join(queries.paths[row] for row in ends[:3])
        raise InputError(
            f"{len(ends)} images of the dataset are called {name}: {examples}",
            "Give more of the path.",
        )
    return ends[0] if ends else None


def _embedded(backbone: "Backbone", files: list[Path], root: Path) -> "Collection":
    """Image files of the user, which have no class."""
    import numpy as np
    import torch

    from lowlabel.analysis import Collection
    from lowlabel.errors import DataError
    from lowlabel.features import EmbeddingTable

    rows = []
    for file in files:
        try:
            pixels = torch.from_numpy(backbone.transform.read(file).copy())
        except (OSError, ValueError, SyntaxError) as error:
            raise DataError(
                f"{file} is neither an image in {root} nor a readable image file: {error}",
                "Give the end of a path in the dataset, or an image file.",
            ) from error
        rows.append(backbone.embed(pixels[None]).cpu().numpy())
    table = EmbeddingTable(np.concatenate(rows), np.zeros(len(files), np.int64), "")
    return Collection(Path(), tuple(map(str, files)), None, (), table)
