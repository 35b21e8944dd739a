"""The base of post-processing: frozen options and one function of the embeddings."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from lowlabel.arrays import require_same_width
from lowlabel.errors import InputError
from lowlabel.retrieval.ranking.blocks import row_blocks
from lowlabel.retrieval.ranking.nearest import Neighbours, nearest
from lowlabel.retrieval.ranking.precomputed_ranker import Similarity
from lowlabel.retrieval.ranking.twins import Twins
from lowlabel.specs import Configurable, format_spec

FLOAT_BITS = 32
_MOST_SHARED = 0.5  # largest share of searched rows that may be duplicates of training rows


@dataclass(frozen=True)
class RawRows:
    """Rows with the lengths that the model gives them.

    Attributes:
        queries: [Q, D].
        gallery: [G, D].
        train: [T, D], of images that are in neither.
    """

    queries: Tensor
    gallery: Tensor
    train: Tensor | None


@dataclass(frozen=True)
class Embedded:
    """Unit rows of queries, gallery and training images.

    Attributes:
        queries: [Q, D].
        gallery: [G, D].
        leave_one_out: Whether row i of the gallery is the image of query i. Their values may
            differ: a query can be expanded while its image in the gallery is not.
        train: [T, D], of images that are in neither.
        train_labels: int64 [T], or None.
        raw: The same rows before they were scaled to length 1; None if there are no others.
    """

    queries: Tensor
    gallery: Tensor
    leave_one_out: bool
    train: Tensor | None = None
    train_labels: Tensor | None = None
    raw: RawRows | None = None

    def nearest(self, k: int) -> Neighbours:
        """Finds the k gallery images nearest to each query, without its own image."""
        self_rows = None
        if self.leave_one_out:
            self_rows = torch.arange(len(self.queries), device=self.queries.device)
        return nearest(self.queries, self.gallery, k, self_rows=self_rows)

    def with_equal(self, twins: Twins) -> "Embedded":
        """Makes the gallery's rows of twins equal to the last digit."""
        if not twins:
            return self
        gallery = twins.made_equal(self.gallery)
        queries = gallery if self.queries is self.gallery else self.queries
        return replace(self, queries=queries, gallery=gallery)


@dataclass(frozen=True)
class PostProcessing(Configurable, ABC):
    """Changes embeddings, or replaces them by similarities. Its fields are its options.

    Attributes:
        needs_train: Whether it is trained on training images.
        transductive: Whether the ranking of a query depends on queries outside the gallery.
        gives_similarities: Whether it gives similarities, not embeddings, and must come last.
        bits: Bits of each dimension of what it gives; None as before.
    """

    needs_train: ClassVar[bool] = False
    transductive: ClassVar[bool] = False
    gives_similarities: ClassVar[bool] = False
    bits: ClassVar[int | None] = FLOAT_BITS

    def width(self, dimensions: int) -> int:
        """Dimensions of what it gives, of rows of D dimensions."""
        return dimensions

    @abstractmethod
    def apply(self, embedded: Embedded) -> Embedded | Similarity:
        """Returns other embeddings with unit rows, or similarities, which end a chain."""

    @property
    def needs_raw(self) -> bool:
        """Whether it takes rows with the lengths that the model gives them."""
        return False

    @property
    def spec(self) -> str:
        """The canonical spec: name, first option, and others that are not the default."""
        if not fields(self):
            return self.name
        first, *others = fields(self)
        value = getattr(self, first.name)
        changed = {o.name: getattr(self, o.name) for o in others}
        changed = {o.name: changed[o.name] for o in others if changed[o.name] != o.default}
        return format_spec(f"{self.name}:{value}" if value else self.name, changed)

    def require_at_least(self, option: str, least: int) -> None:
        """Raises an `InputError` unless the value of the option is at least `least`."""
        value = getattr(self, option)
        if value < least:
            raise InputError(f"{option}={value} of {self.name} must be at least {least}")


def require_train(step: PostProcessing, embedded: Embedded) -> Tensor:
    """Returns the training rows.

    Raises:
        InputError: If there are none, or they are of another width or the test set.
    """
    train, gallery = embedded.train, embedded.gallery
    if train is None:
        raise InputError(
            f"{step.spec} is trained on training images, and there are none",
            "Choose a dataset with a train part, or pass train=features "
            "(--train-features FILE on the command line).",
        )
    require_same_width({"searched features": gallery.shape[1], "train features": train.shape[1]})
    known = np.isin(_as_keys(gallery), _as_keys(train))
    if known.mean() > _MOST_SHARED:
        raise InputError(
            f"{known.sum()} of the {len(known)} images searched are among the training images",
            f"{step.spec} must not see the test set: pass the train part or other images.",
        )
    return train


def require_whole_power(step: PostProcessing, alpha: float) -> None:
    """Raises an `InputError` unless α is a power that negative similarities have."""
    if alpha < 0 or alpha % 1:
        raise InputError(
            f"alpha={alpha} of {step.name} is no power of the negative similarities that the "
            "reference keeps",
            "Use a whole number from 0 on.",
        )


def require_queries_in_gallery(step: PostProcessing, embedded: Embedded) -> None:
    """Raises an `InputError` if leave-one-out queries are no longer rows of the gallery."""
    if embedded.leave_one_out and embedded.queries is not embedded.gallery:
        raise InputError(
            f"{step.spec} needs queries that are rows of the gallery, and an earlier step changed "
            "one side alone",
            f"Leave out aqe and dba before {step.spec}.",
        )


def weighted_sums(weights: Tensor, rows: Tensor, gallery: Tensor) -> Tensor:
    """Computes Σ_j weights[:, j]·gallery[rows[:, j]], [Q, D], for weights and rows [Q, k]."""
    sums = gallery.new_empty(len(rows), gallery.shape[1])
    for start, stop in row_blocks(len(rows), rows.shape[1] * gallery.shape[1]):
        part = slice(start, stop)
        torch.sum(weights[part, :, None] * gallery[rows[part]], dim=1, out=sums[part])
    return sums


def _as_keys(rows: Tensor) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    """Views each row as one comparable value."""
    array = np.ascontiguousarray(rows.cpu().numpy())
    keys: np.ndarray[tuple[int], np.dtype[np.void]] = array.view(
        np.dtype((np.void, array.itemsize * array.shape[1]))
    ).ravel()
    return keys
