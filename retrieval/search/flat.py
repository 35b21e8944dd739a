"""Exhaustive search."""

from dataclasses import dataclass
from typing import Any, ClassVar

from lowlabel.retrieval.search.base import Index


@dataclass(frozen=True)
class Flat(Index):
    """faiss IndexFlatIP: compares every image in float32 (Johnson et al., arXiv:1702.08734)."""

    name: ClassVar[str] = "flat"

    def make(self, images: int, width: int) -> Any:
        """Makes an IndexFlatIP."""
        import faiss

        return faiss.IndexFlatIP(width)
