"""Inverted lists."""

from dataclasses import dataclass
from typing import Any, ClassVar

from lowlabel.retrieval.search.base import Index


@dataclass(frozen=True)
class IVF(Index):
    """faiss IndexIVFFlat: searches the nearest cells of a k-means clustering.

    Jégou et al., "Product quantization for nearest neighbor search", TPAMI 2011 (the coarse part);
    Johnson et al., arXiv:1702.08734.

    Attributes:
        lists: Number of cells; 0 for 4·√images.
        probe: Number of cells to search.
        seed: Random seed of the k-means.
    """

    name: ClassVar[str] = "ivf"
    version: ClassVar[int] = 2
    lists: int = 0
    probe: int = 16
    seed: int = 0

    def __post_init__(self) -> None:
        self.require_positive("probe")
        if self.lists:
            self.require_positive("lists")

    def make(self, images: int, width: int) -> Any:
        """Makes an IndexIVFFlat with no more cells than images."""
        import faiss

        lists = min(self.lists or max(1, round(4 * images**0.5)), images)
        index = faiss.IndexIVFFlat(
            faiss.IndexFlatIP(width), width, lists, faiss.METRIC_INNER_PRODUCT
        )
        index.cp.seed, index.cp.min_points_per_centroid = self.seed, 1
        index.nprobe = min(self.probe, lists)
        return index
