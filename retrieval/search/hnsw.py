"""Small-world graphs."""

from dataclasses import dataclass
from typing import Any, ClassVar

from lowlabel.retrieval.search.base import Index


@dataclass(frozen=True)
class HNSW(Index):
    """faiss IndexHNSWFlat: a greedy walk over a layered graph of neighbours, on the CPU.

    Malkov and Yashunin, TPAMI 2020, arXiv:1603.09320.

    Attributes:
        m: Links of each image in a layer.
        construction: Candidates while building the graph.
        ef: Candidates while searching; at least the number of images to find.
    """

    name: ClassVar[str] = "hnsw"
    version: ClassVar[int] = 2
    m: int = 32
    construction: int = 200
    ef: int = 128

    def __post_init__(self) -> None:
        for option in ("m", "construction", "ef"):
            self.require_positive(option)

    def make(self, images: int, width: int) -> Any:
        """Makes an IndexHNSWFlat."""
        import faiss

        index = faiss.IndexHNSWFlat(width, self.m, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = self.construction
        return index

    def prepared(self, index: Any, k: int) -> Any:
        """Returns the index with at least as many candidates as images to find."""
        index.hnsw.efSearch = max(self.ef, k)
        return index

    def on_gpu(self, index: Any) -> Any:
        """Returns the index unchanged: faiss has no HNSW on the GPU."""
        return index
