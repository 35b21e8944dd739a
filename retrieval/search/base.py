"""The base of the indexes: frozen options and the faiss index that they make."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from lowlabel.errors import InputError, number_of
from lowlabel.retrieval.ranking.nearest import Neighbours
from lowlabel.specs import Configurable


@dataclass(frozen=True)
class Index(Configurable, ABC):
    """A faiss index over inner products. Its fields are its options."""

    @abstractmethod
    def make(self, images: int, width: int) -> Any:
        """Makes an empty faiss index for a number of images and their width."""

    def prepared(self, index: Any, k: int) -> Any:
        """Returns the filled index, set to search for k images."""
        return index

    def on_gpu(self, index: Any) -> Any:
        """Returns the index on the GPU if faiss supports it there, else unchanged."""
        import faiss

        if not getattr(faiss, "get_num_gpus", int)():
            return index
        return faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), 0, index)

    def search(self, gallery: Tensor, k: int, *, leave_one_out: bool = False) -> "Searcher":
        """Fills an index with a gallery.

        Args:
            gallery: Unit rows [G, D].
            k: Images to find for each query.
            leave_one_out: Whether row i of the gallery is the image of query i, which is then
                left out by its index.

        Raises:
            InputError: If faiss is missing, or k is larger than the gallery.
        """
        images, width = gallery.shape
        others = images - leave_one_out
        if k > others:
            raise InputError(
                f"{k} neighbours were requested from {self.spec} with "
                f"{number_of(others, 'images')} to find",
                f"Ask for at most {others}.",
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
        return Searcher(self.prepared(index, k + leave_one_out), k, leave_one_out)


@dataclass(frozen=True)
class Searcher:
    """A filled index.

    Attributes:
        index: The faiss index.
        k: Images to find for each query.
        leave_one_out: Whether a query's own image is left out.
    """

    index: Any
    k: int
    leave_one_out: bool

    def nearest(self, queries: Tensor, numbers: Tensor) -> Neighbours:
        """Finds the k nearest images of unit rows [n, D], the queries with these numbers [n]."""
        wanted = self.k + self.leave_one_out
        similarity, rows = self.index.search(queries.float().cpu().numpy(), wanted)
        if self.leave_one_out:
            kept = rows != numbers.cpu().numpy()[:, None]
            kept[kept.all(axis=1), -1] = False  # own image not found: drop the last one
            similarity = similarity[kept].reshape(len(rows), self.k)
            rows = rows[kept].reshape(len(rows), self.k)
        found = torch.from_numpy(similarity).to(queries.device)
        found[torch.from_numpy(rows < 0).to(queries.device)] = -torch.inf
        return Neighbours(found, torch.from_numpy(rows).to(queries.device), found.new_empty(0))
