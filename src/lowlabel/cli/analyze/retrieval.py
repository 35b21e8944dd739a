"""`lowlabel analyze retrieval`, and the galleries of a run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from lowlabel.cli import options
from lowlabel.cli.galleries import collections
from lowlabel.cli.groups import BackboneGroup, DataGroup, MachineGroup, grouped
from lowlabel.cli.options import option
from lowlabel.cli.pictures import PictureFile, save_picture

if TYPE_CHECKING:
    from lowlabel.analysis import Collection, Tile
    from lowlabel.features import Backbone, EmbeddedDataset


@grouped
def retrieval(
    model: Annotated[str, option("Model", "A model, as for lowlabel run.")],
    dataset: options.Dataset,
    query: Annotated[
        list[str] | None,
        option(
            "Results",
            "Image of the dataset (its path or the end of it) or an image file. Repeats.",
            default="the worst queries",
        ),
    ] = None,
    worst: Annotated[int, option("Results", "Number of worst queries.")] = 8,
    top: Annotated[int, option("Results", "Images to show for each query.")] = 10,
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
    from lowlabel.features.key import slug
    from lowlabel.features.made_elsewhere.train_file import with_train_features
    from lowlabel.paths import results_dir
    from lowlabel.retrieval.post import build_post

    steps = tuple(map(build_post, post or ()))
    loaded = backbone.load(model, machine.device)
    learns = any(step.needs_train for step in steps) and train_features is None
    embedded = _embed(loaded, dataset, learns, data, machine)
    if train_features:
        embedded = with_train_features(embedded, train_features)
    queries, gallery = collections(embedded)
    train = embedded.train.features if embedded.train else None
    labels = embedded.train.labels if embedded.train else None
    chosen = {"train": train, "train_labels": labels, "post": steps, "device": machine.device}
    if query:
        drawn = _chosen(loaded, queries, gallery, query, top, **chosen)
    else:
        rows = worst_queries(queries, gallery, worst, **chosen)
        drawn = retrieved(queries, gallery, rows, top, **chosen)
    name = slug(f"{loaded.name}-{embedded.name}-retrieval")
    save_picture(draw_gallery(drawn), output or results_dir() / f"{name}.png")


def _embed(
    backbone: "Backbone", dataset: str, learns: bool, data: DataGroup, machine: MachineGroup
) -> "EmbeddedDataset":
    """Embeds what the first retrieval protocol that fits needs, and the part to learn from."""
    from lowlabel.benchmarks.protocols import PROTOCOLS
    from lowlabel.datasets import open_dataset
    from lowlabel.errors import InputError
    from lowlabel.features import embed_dataset

    fitting = [
        (protocol, division)
        for protocol in (kind() for kind in PROTOCOLS.values() if kind.suite == "retrieval")
        if (division := protocol.division_of(dataset))
    ]
    if not fitting:
        raise InputError(f"{dataset} has no queries to retrieve images for", "See lowlabel list.")
    protocol, division = fitting[0]
    opened = open_dataset(
        dataset, division, class_list=data.class_list, allow_partial=data.allow_partial
    )
    train = (division.train_part,) if learns and division.train_part else ()
    extraction = machine.extraction(skip_bad_images=data.skip_bad_images)
    parts = dict.fromkeys((*train, *protocol.needs(division)))
    return embed_dataset(backbone, opened, tuple(parts), extraction)


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
    orientation = backbone.transform.orientation
    return Collection(Path(), tuple(map(str, files)), None, (), table, orientation)
