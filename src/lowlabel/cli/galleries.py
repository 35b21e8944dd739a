"""Pictures of a run's worst queries."""

from typing import TYPE_CHECKING, Any

from lowlabel.cli.pictures import save_picture

if TYPE_CHECKING:
    from lowlabel.analysis import Collection
    from lowlabel.benchmarks import Request
    from lowlabel.benchmarks.protocols import Protocol
    from lowlabel.benchmarks.runner import Watch
    from lowlabel.features import EmbeddedDataset
    from lowlabel.results import Record

_TOP = 10


def gallery_writer(request: "Request") -> "Watch":
    """A watch that draws the worst queries of each retrieval into `output/galleries`."""
    from lowlabel.analysis import draw_gallery, retrieved, worst_queries
    from lowlabel.benchmarks.protocols.retrieval import Retrieval
    from lowlabel.results import record_path

    def write(data: "EmbeddedDataset", protocol: "Protocol", record: "Record") -> None:
        if not isinstance(protocol, Retrieval) or not protocol.worst or not data.images:
            return
        queries, gallery = collections(data)
        train = data.train.features if data.train else None
        labels = data.train.labels if data.train else None
        chosen: dict[str, Any] = {
            "train": train,
            "train_labels": labels,
            "post": protocol.post,
            "device": request.backbone.device,
        }
        rows = worst_queries(queries, gallery, protocol.worst, **chosen)
        others = len((gallery or queries).paths) - (gallery is None)
        drawn = retrieved(queries, gallery, rows, min(_TOP, others), **chosen)
        path = record_path(request.output / "galleries", record.experiment).with_suffix(".png")
        save_picture(draw_gallery(drawn), path)

    return write


def collections(data: "EmbeddedDataset") -> "tuple[Collection, Collection | None]":
    """The images of the evaluated part, and those of the gallery if it is another part."""
    from lowlabel.analysis import Collection

    turned = data.embedder.orientation
    queries = Collection.of(data.images[data.evaluated_part], data.evaluated, turned)
    if data.gallery_part is None or data.gallery is None:
        return queries, None
    return queries, Collection.of(data.images[data.gallery_part], data.gallery, turned)
