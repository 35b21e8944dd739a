"""`lowlabel analyze retrieval`, and the galleries of a run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lowlabel.cli import options
from lowlabel.cli.pictures import save_picture

if TYPE_CHECKING:
    from lowlabel.analysis import Collection
    from lowlabel.benchmarks.runner import Watch
    from lowlabel.benchmarks.subject import Subject
    from lowlabel.benchmarks.suite import RetrievalProtocol
    from lowlabel.datasets import OpenDataset
    from lowlabel.features import Backbone
    from lowlabel.results import Record

_TOP = 10


def retrieval(
    model: Annotated[str, typer.Option(help="As for lowlabel run.")],
    dataset: Annotated[str, typer.Option(help="As for lowlabel run.")],
    query: Annotated[
        list[str] | None,
        typer.Option(
            help="An image of the data set (its path, or the end of it) or any image file "
            "[default: the worst queries]. Repeats."
        ),
    ] = None,
    worst: Annotated[int, typer.Option(help="How many of the worst queries.")] = 8,
    top: Annotated[int, typer.Option(help="Images for each query.")] = _TOP,
    post: options.Posts = None,
    train_features: options.TrainFeatures = None,
    output: Annotated[
        Path | None,
        typer.Option(help="The picture to write (.png or .jpg) [default: in the results folder]."),
    ] = None,
    allow_partial: options.AllowPartial = False,
    skip_bad_images: options.SkipBadImages = False,
    pooling: options.Pooling = None,
    resolution: options.Resolution = None,
    dtype: options.Dtype = "float32",
    device: options.Device = "auto",
    batch_size: options.BatchSize = 32,
    workers: options.Workers = 4,
) -> None:
    """Draws queries with the images that a model finds for them, right and wrong ones marked."""
    from lowlabel.analysis import draw_gallery, retrieved, worst_queries
    from lowlabel.benchmarks.plan import division_for
    from lowlabel.benchmarks.subject import embed_dataset, with_train_features
    from lowlabel.datasets import open_dataset
    from lowlabel.features import ExtractionOptions, load_backbone
    from lowlabel.features.key import slug
    from lowlabel.paths import results_dir
    from lowlabel.retrieval.post import build_post

    learns = any(build_post(spec).needs_train for spec in post or ())
    backbone = load_backbone(
        model, pooling=pooling, resolution=resolution, dtype=dtype, device=device
    )
    opened = open_dataset(dataset, division_for(dataset, "retrieval"), allow_partial=allow_partial)
    extraction = ExtractionOptions(batch_size, workers, skip_bad_images)
    subject = embed_dataset(
        backbone, opened, extraction, with_base=learns and train_features is None
    )
    if train_features:
        subject = with_train_features(subject, train_features)
    queries, gallery = _collections(opened, subject)
    train = subject.base.features if subject.base else None
    chosen = {"train": train, "post": tuple(post or ()), "device": device}
    if query:
        found = {name: _find(queries, name) for name in query}
        rows = [row for row in found.values() if row is not None]
        drawn = retrieved(queries, gallery, rows, top, **chosen) if rows else []
        if files := [Path(name) for name, row in found.items() if row is None]:
            outsiders = _embedded(backbone, files, opened.name)
            drawn += retrieved(outsiders, gallery or queries, range(len(files)), top, **chosen)
    else:
        rows = worst_queries(queries, gallery, worst, **chosen)
        drawn = retrieved(queries, gallery, rows, top, **chosen)
    name = slug(f"{backbone.name}-{opened.dataset.name}-retrieval")
    save_picture(draw_gallery(drawn), output or results_dir() / f"{name}.png")


def gallery_writer(worst: int, output: Path, device: str) -> "Watch":
    """What draws the worst queries of each retrieval of a run into `output/galleries`."""
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
    """The images of the evaluated part, and those of the gallery if it is another part."""
    from lowlabel.analysis import Collection

    queries = Collection.of(opened.load(opened.division.evaluated), subject.evaluated)
    if opened.division.gallery is None or subject.gallery is None:
        return queries, None
    return queries, Collection.of(opened.load(opened.division.gallery), subject.gallery)


def _find(queries: "Collection", name: str) -> int | None:
    """The row of the one image whose path ends so; None for a file of the user's."""
    from lowlabel.errors import InputError

    ends = [row for row, path in enumerate(queries.paths) if f"/{path}".endswith(f"/{name}")]
    if len(ends) > 1:
        examples = ", ".join(queries.paths[row] for row in ends[:3])
        raise InputError(
            f"{len(ends)} images of the data set are called {name}: {examples}", "Give more of it."
        )
    return ends[0] if ends else None


def _embedded(backbone: "Backbone", files: list[Path], dataset: str) -> "Collection":
    """Images of the user's, which have no class."""
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
                f"{file} is neither an image of {dataset} nor a file that can be read: {error}",
                "Give the end of a path in the data set, or an image file.",
            ) from error
        rows.append(backbone.embed(pixels[None]).cpu().numpy())
    table = EmbeddingTable(np.concatenate(rows), np.zeros(len(files), np.int64), "")
    return Collection(Path(), tuple(map(str, files)), None, (), table)
