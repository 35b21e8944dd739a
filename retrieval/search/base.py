"""What every index is: frozen options, and the faiss index that they make."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from lowlabel.errors import InputError
from lowlabel.retrieval.ranking.nearest import Neighbours
from lowlabel.specs import Configurable


@dataclass(frozen=True)
class Index(Configurable, ABC):
    """An index of faiss over inner products. Its fields are its options."""

    @abstractmethod
    def make(self, images: int, width: int) -> Any:
        """An empty faiss index for so many images of a width."""

    def prepared(self, index: Any, k: int) -> Any:
        """The filled index, set to search for k images."""
        return index

    def on_gpu(self, index: Any) -> Any:
        """The index on the GPU, where faiss has it there; else as it is."""
        import faiss

        if not getattr(faiss, "get_num_gpus", int)():
            return index
        return faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), 0, index)

    def search(self, gallery: Tensor, k: int, *, own: bool = False) -> "Searcher":
        """Fills an index with a gallery.

        Args:
            gallery: Unit rows [G, D].
            k: How many images each query asks for.
            own: Whether row i of the gallery is the image of query i, which is then left out by
                its index.

        Raises:
            InputError: If faiss is missing, or k is larger than the gallery.
        """
        images, width = gallery.shape
        if k > images - own:
            raise InputError(
                f"{self.spec}: {k} neighbours of a gallery that has {images - own} images",
                f"Ask for at most {images - own}.",
            )
        if find_spec("faiss") is None:
            raise InputError(
                f"the search index {self.name} needs faiss, which is not installed",
                'pip install "lowlabel[cpu]" (or [gpu]), or leave --search out.',
            )
        vectors = gallery.float().cpu().numpy()
        index = self.make(images, width)
        index = self.on_gpu(index) if gallery.device.type == "cuda" else index
        if not index.is_trained:
            index.train(vectors)
        index.add(vectors)
        return Searcher(self.prepared(index, k + own), k, own)


@dataclass(frozen=True)
class Searcher:
    """A filled index.

    Attributes:
        index: Of faiss.
        k: How many images each query asks for.
        own: Whether a query's own image is left out.
    """

    index: Any
    k: int
    own: bool

    def nearest(self, queries: Tensor, numbers: Tensor) -> Neighbours:
        """The k nearest of unit rows [n, D], which are the queries of those numbers [n]."""
        similarity, rows = self.index.search(queries.float().cpu().numpy(), self.k + self.own)
        if self.own:
            kept = rows != numbers.cpu().numpy()[:, None]
            kept[kept.all(axis=1), -1] = False  # its own image was not found: the last one goes
            similarity = similarity[kept].reshape(len(rows), self.k)
            rows = rows[kept].reshape(len(rows), self.k)
        found = torch.from_numpy(similarity).to(queries.device)
        found[torch.from_numpy(rows < 0).to(queries.device)] = -torch.inf
        return Neighbours(found, torch.from_numpy(rows).to(queries.device), found.new_empty(0))
