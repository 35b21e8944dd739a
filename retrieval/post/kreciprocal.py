"""k-reciprocal re-ranking."""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor

from lowlabel.errors import InputError
from lowlabel.retrieval.post.base import Embedded, PostProcessing, require_queries_in_gallery
from lowlabel.retrieval.post.sparse import SparseRows, mutual
from lowlabel.retrieval.ranking.blocks import row_blocks
from lowlabel.retrieval.ranking.nearest import nearest


@dataclass(frozen=True)
class KReciprocal(PostProcessing):
    """Re-ranking by the Jaccard distance of k-reciprocal neighbours.

    Zhong et al., "Re-ranking person re-identification with k-reciprocal encoding", CVPR 2017,
    arXiv:1701.08398. As in the source, queries and gallery form one set: every image is its own
    first neighbour, before its twins too, and other queries can be neighbours. In leave-one-out
    the set is the gallery. Distances are 2 − 2·cosine, divided by the largest one of each row.

    The set of an image's neighbours grows by that of a neighbour, taken with half the k, if the
    image's own set holds a large enough part of it. Half of k1 is rounded to even and the image
    itself comes on top, as in the released Python code; the MATLAB code takes one image less for
    k1 = 3, 7, 11, …

    Attributes:
        k1: Neighbours that have to be mutual, besides the image itself.
        k2: Neighbours over which encodings are averaged, including the image itself.
        weight: Share of the original distance in the final one (λ).
        overlap: "released": more than two thirds of a set have to be in the image's own, as in
            the released code; or "paper": two thirds or more.
    """

    name: ClassVar[str] = "k-reciprocal"
    gives_similarities: ClassVar[bool] = True
    version: ClassVar[int] = 2
    transductive: ClassVar[bool] = True
    k1: int = 20
    k2: int = 6
    weight: float = 0.3
    overlap: str = "released"

    def __post_init__(self) -> None:
        self.require_at_least("k1", 1)
        self.require_at_least("k2", 1)
        if self.k2 > self.k1 + 1:
            raise InputError(f"k2={self.k2} of k-reciprocal must be at most k1 + 1")
        self.require_one_of("overlap", ("released", "paper"))
        if not 0 <= self.weight <= 1:
            raise InputError(f"weight={self.weight} of k-reciprocal must be from 0 to 1")

    def apply(self, embedded: Embedded) -> "JaccardSimilarity":
        """Encodes each image by its neighbours."""
        require_queries_in_gallery(self, embedded)
        images, first = embedded.gallery, 0
        if not embedded.leave_one_out:  # queries first, as in the released code
            images, first = torch.cat([embedded.queries, images]), len(embedded.queries)
        itself = torch.arange(len(images), device=images.device)
        found = nearest(images, images, self.k1, self_rows=itself, lowest=True)
        near = torch.cat([itself[:, None], found.rows], dim=1)
        largest = 2 - 2 * found.lowest.clamp(max=1 - torch.finfo(images.dtype).eps)
        encodings = _encode(images, near, largest, self.overlap)
        smooth = _average(encodings, near[:, : self.k2])
        return JaccardSimilarity(embedded, smooth, smooth.transpose(), largest, first, self.weight)


@dataclass(frozen=True)
class JaccardSimilarity:
    """The negative mixture of Jaccard distance and original distance.

    Attributes:
        embedded: Queries and gallery.
        encodings: V, one row per image: queries that are not in the gallery, then the gallery.
        inverted: V by columns.
        largest: Largest distance of each image.
        first: Row of the first gallery image in V.
        weight: Share of the original distance.
    """

    embedded: Embedded
    encodings: SparseRows
    inverted: SparseRows
    largest: Tensor
    first: int
    weight: float

    def rows(self, queries: Tensor) -> Tensor:
        """Computes similarities [n, G]."""
        shared = self._shared(queries)[:, self.first :]
        jaccard = 1 - shared / (2 - shared)  # each row of V sums to 1
        cosine = self.embedded.queries[queries] @ self.embedded.gallery.T
        original = (2 - 2 * cosine) / self.largest[queries, None]
        return -((1 - self.weight) * jaccard + self.weight * original)

    def _shared(self, images: Tensor) -> Tensor:
        """Computes Σ_j min(V[i, j], V[g, j]) for images i and all g."""
        count = len(self.encodings)
        total = self.encodings.values.new_zeros(len(images) * count)
        for start, stop in row_blocks(len(images), self._most_pairs):
            owner, column, value = self.encodings.gather(images[start:stop])
            entry, other, theirs = self.inverted.gather(column)
            place = (owner[entry] + start) * count + other
            total.index_add_(0, place, torch.minimum(value[entry], theirs))
        return total.view(len(images), count)

    @cached_property
    def _most_pairs(self) -> int:
        """Largest number of pairs of entries in one column over the images."""
        row = torch.repeat_interleave(self.encodings.start.diff())
        pairs = self.inverted.start.diff()[self.encodings.columns]
        return int(torch.zeros_like(self.encodings.start).index_add_(0, row, pairs).max())


def _encode(images: Tensor, near: Tensor, largest: Tensor, overlap: str) -> SparseRows:
    """V: exp(−distance) to the expanded k-reciprocal neighbours, with rows that sum to 1."""
    half = round((near.shape[1] - 1) / 2) + 1
    whole, halved = mutual(near), mutual(near[:, :half])
    rows, columns, values = [], [], []
    for start, stop in row_blocks(len(images), near.shape[1] ** 2 * half):
        i, j = _expanded(near, whole, halved, start, stop, overlap)
        rows.append(i)
        columns.append(j)
        values.append(_weights(images, i, j, largest))
    i, value = torch.cat(rows), torch.cat(values)
    sums = value.new_zeros(len(images)).index_add_(0, i, value)
    return SparseRows.of(i, torch.cat(columns), value / sums[i], (len(images), len(images)))


def _expanded(
    near: Tensor, whole: Tensor, halved: Tensor, start: int, stop: int, overlap: str
) -> tuple[Tensor, Tensor]:
    """Distinct pairs of the images `start` to `stop` with the members of their sets R*.

    The set of a neighbour, with half the k, is added if more than two thirds of it (or two thirds,
    see `overlap`) are in the set of the image.
    """
    half, members = halved.shape[1], torch.where(whole[start:stop], near[start:stop], -1)
    candidates = near[near[start:stop], :half]
    valid = halved[near[start:stop]] & whole[start:stop, :, None]
    inside = (candidates[..., None] == members[:, None, None]).any(dim=3) & valid
    excess = 3 * inside.sum(dim=2) - 2 * valid.sum(dim=2)
    joins = excess >= 0 if overlap == "paper" else excess > 0
    added = torch.where(valid & joins[..., None], candidates, -1).flatten(1)
    members = torch.cat([members, added], dim=1).sort(dim=1).values
    fresh = members >= 0
    fresh[:, 1:] &= members[:, 1:] != members[:, :-1]
    i, place = fresh.nonzero().T
    return i + start, members[i, place]


def _weights(images: Tensor, i: Tensor, j: Tensor, largest: Tensor) -> Tensor:
    weights = images.new_empty(len(i))
    for start, stop in row_blocks(len(i), images.shape[1]):
        a, b = i[start:stop], j[start:stop]
        distance = 2 - 2 * (images[a] * images[b]).sum(dim=1)
        weights[start:stop] = torch.exp(-distance / largest[a])
    return weights


def _average(encodings: SparseRows, near: Tensor) -> SparseRows:
    """Replaces each row by the mean of the rows of its neighbours."""
    count, k = near.shape
    rows, columns, values = [], [], []
    most = int(encodings.start.diff().max()) * k
    for start, stop in row_blocks(count, most):
        owner, column, value = encodings.gather(near[start:stop].flatten())
        block = SparseRows.of(owner // k, column, value / k, (stop - start, count))
        rows.append(torch.repeat_interleave(block.start.diff()) + start)
        columns.append(block.columns)
        values.append(block.values)
    return SparseRows.of(torch.cat(rows), torch.cat(columns), torch.cat(values), (count, count))
