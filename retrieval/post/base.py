"""What every post-processing is: frozen options, and one function of what is searched."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import ClassVar, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from lowlabel.errors import InputError
from lowlabel.retrieval.ranking.nearest import Neighbours, nearest, spans
from lowlabel.specs import Configurable, format_spec

_MOST_SHARED = 0.5  # of the test rows that may occur among the training rows, as duplicates


@dataclass(frozen=True)
class Embedded:
    """Unit rows that are searched.

    Attributes:
        queries: [Q, D].
        gallery: [G, D].
        own: Whether row i of the gallery is the image of query i, as in leave-one-out. The rows may
            differ: a query can be expanded where its image in the gallery is not.
        train: [T, D], of other images than those.
    """

    queries: Tensor
    gallery: Tensor
    own: bool
    train: Tensor | None = None

    def nearest(self, k: int) -> Neighbours:
        """The k gallery images nearest to each query, its own left out."""
        own = torch.arange(len(self.queries), device=self.queries.device) if self.own else None
        return nearest(self.queries, self.gallery, k, own=own)


class Similarity(Protocol):
    """Similarities that are no inner products of embeddings."""

    def rows(self, queries: Tensor) -> Tensor:
        """Similarities [n, G] of some queries (int64 [n]) to the whole gallery.

        Only their order counts. What a query gets with its own image is never looked at.
        """
        ...


@dataclass(frozen=True)
class Post(Configurable, ABC):
    """Changes embeddings, or gives similarities in their place. Its fields are its options.

    Attributes:
        needs_train: Whether it learns from training images.
        transductive: Whether a query's ranking depends on other queries than the gallery's images.
    """

    needs_train: ClassVar[bool] = False
    transductive: ClassVar[bool] = False

    @abstractmethod
    def apply(self, embedded: Embedded) -> Embedded | Similarity:
        """Other embeddings with unit rows, or similarities, which end a chain."""

    @property
    def spec(self) -> str:
        """The canonical text: name, first option, and the others that are not the default."""
        first, *others = fields(self)
        value = getattr(self, first.name)
        changed = {o.name: getattr(self, o.name) for o in others}
        changed = {o.name: changed[o.name] for o in others if changed[o.name] != o.default}
        return format_spec(f"{self.name}:{value}" if value else self.name, changed)

    def require_at_least(self, option: str, least: int) -> None:
        """Raises an `InputError` unless the option's value is `least` or more."""
        value = getattr(self, option)
        if value < least:
            raise InputError(f"{option}={value} of {self.name} must be at least {least}")


def require_train(post: Post, embedded: Embedded) -> Tensor:
    """The training rows.

    Raises:
        InputError: If there are none, they are of another width, or they are the test set.
    """
    train, gallery = embedded.train, embedded.gallery
    if train is None:
        raise InputError(
            f"{post.spec} learns from training images and there are none",
            "Take a data set with a train part, or pass train=features "
            "(--train-features FILE on the command line).",
        )
    if train.shape[1] != gallery.shape[1]:
        raise InputError(
            f"training images have {train.shape[1]} dimensions, those searched {gallery.shape[1]}"
        )
    known = np.isin(_as_keys(gallery), _as_keys(train))
    if known.mean() > _MOST_SHARED:
        raise InputError(
            f"{known.sum()} of the {len(known)} images searched are among the training images",
            f"{post.spec} may not learn from the test set: pass the train part or other images.",
        )
    return train


def require_own_images(post: Post, embedded: Embedded) -> None:
    """Raises an `InputError` if queries in leave-one-out are no longer their images' own rows."""
    if embedded.own and embedded.queries is not embedded.gallery:
        raise InputError(
            f"{post.spec} takes a query for its own image, and the queries or the gallery alone "
            "were changed before",
            "Leave aqe and dba out before it.",
        )


def weighted_sums(weights: Tensor, rows: Tensor, gallery: Tensor) -> Tensor:
    """Σ_j weights[:, j]·gallery[rows[:, j]] for weights and rows [Q, k], [Q, D] in blocks."""
    sums = gallery.new_empty(len(rows), gallery.shape[1])
    for start, stop in spans(len(rows), rows.shape[1] * gallery.shape[1]):
        part = slice(start, stop)
        torch.sum(weights[part, :, None] * gallery[rows[part]], dim=1, out=sums[part])
    return sums


def unit(rows: Tensor) -> Tensor:
    """Rows at length 1; a zero row stays zero."""
    return normalize(rows, dim=1)


def _as_keys(rows: Tensor) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    """Each row as one value that can be compared."""
    array = np.ascontiguousarray(rows.cpu().numpy())
    keys: np.ndarray[tuple[int], np.dtype[np.void]] = array.view(
        np.dtype((np.void, array.itemsize * array.shape[1]))
    ).ravel()
    return keys
