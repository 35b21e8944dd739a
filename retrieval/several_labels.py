"""Retrieval among images that have several labels each: whoever shares one is a positive."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lowlabel.arrays import Features, Labels, as_counts, as_label_sets
from lowlabel.errors import InputError
from lowlabel.progress import Progress
from lowlabel.reading import physical_memory
from lowlabel.retrieval.class_level import both_groups, require_compared
from lowlabel.retrieval.metrics import score_names, score_ranks
from lowlabel.retrieval.ranking.comparison import Ties
from lowlabel.retrieval.ranking.database import RankedPositives
from lowlabel.retrieval.ranking.instance_retrieval import InstanceRetrieval
from lowlabel.retrieval.result import RetrievalInterval, RetrievalResult

Rows = NDArray[np.int64]
_BYTES = 64  # that each pair of a query and a positive takes while they are ranked
_SETS = "sets of labels"


def evaluate_several_labels(
    features: Features,
    labels: Any,
    *,
    gallery: tuple[Features, Any] | None = None,
    ks: Sequence[int] = (1, 2, 4, 8),
    map_at: Sequence[int] = (),
    ties: Ties = "pessimistic",
    groups: Labels | None = None,
    gallery_groups: Labels | None = None,
    ignore_same_group: bool = False,
    interval: RetrievalInterval = "classes",
    block_size: int | None = None,
    device: str | torch.device = "auto",
    progress: Progress | None = None,
) -> RetrievalResult:
    """Scores how well cosine similarity ranks images first that share a label with the query.

    As `evaluate_retrieval`, with another meaning of a positive: an image that has at least one of
    the query's labels. Images with exactly one label each have the scores of `evaluate_retrieval`.

    Args:
        features: Floats [N, D], numpy or torch. Only their directions matter.
        labels: Whether image i has label j, booleans or 0 and 1, [N, L].
        gallery: Features [G, D] and labels [G, L] to search in, which include no query; None to
            search each image among the others.
        ks: The K of Recall@K, each at most the number of images that a query is compared with.
        map_at: The k of mAP@k, which is left out by default.
        ties: See `evaluate_retrieval`.
        groups: Integers [N]: the patient, camera or burst of each image.
        gallery_groups: Integers [G], numbered as `groups`.
        ignore_same_group: Whether the images of a query's own group are as absent as its own image.
        interval: What another study would draw anew: "classes" (sets of labels, each with its
            queries; the gallery stays), "queries" or "groups".
        block_size: Gallery images that each thread compares at once.
        device: Device to compute on; "auto" uses a GPU if there is one.
        progress: Called with the number of gallery images done and their total.

    Returns:
        The scores of `lowlabel.retrieval.metrics.score_ranks`. Queries without a positive are left
        out and counted in `lone`.

    Raises:
        InputError: If shapes do not match, features are not finite floats or are all zero, labels
            are not 0 and 1, an image has none, a K is out of range, no query has a positive, or
            the positives do not fit into memory.

    Example:
        >>> import numpy as np
        >>> features = np.array([[1.0, 0.1], [1.0, 0.2], [0.1, 1.0]])
        >>> labels = [[1, 0, 0], [1, 1, 0], [0, 1, 1]]
        >>> evaluate_several_labels(features, labels, ks=(1,)).metrics["recall@1"]
        100.0
    """
    images, image_labels = gallery or (features, labels)
    search = InstanceRetrieval.of(
        features, images, (), ties=ties, transform=None, groups=groups, interval=interval,
        block_size=block_size, device=device,
    )  # fmt: skip
    ks = as_counts(ks, "ks")
    map_at = as_counts(map_at, "map_at") if len(map_at) else ()
    of_queries = as_label_sets(labels, len(search.queries), "labels")
    of_gallery = as_label_sets(image_labels, len(search.gallery), "gallery labels")
    if of_queries.shape[1] != of_gallery.shape[1]:
        raise InputError(
            f"queries have {of_queries.shape[1]} labels, the gallery has {of_gallery.shape[1]}"
        )
    absent = _absent(search, gallery is None, gallery_groups, ignore_same_group)
    others = len(search.gallery) - max(map(len, absent), default=0)
    require_compared(ks, others, by_group=ignore_same_group)
    sets, code = np.unique(of_queries, axis=0, return_inverse=True)
    positives = _positives(sets, code.ravel(), of_gallery, absent)
    ranked = search.rank(
        [torch.from_numpy(rows) for rows in positives],
        [torch.from_numpy(rows) for rows in absent],
        progress,
    )
    scores = _scores(ranked, len(search.queries), ks, map_at)
    return search.result(scores, ranked, code.ravel(), _SETS)


def _absent(
    search: InstanceRetrieval, leave_one_out: bool, gallery_groups: Labels | None, by_group: bool
) -> list[Rows]:
    """The gallery rows that each query is not compared with: its own image, those of its group."""
    queries = len(search.queries)
    own = [np.array([row] if leave_one_out else [], dtype=np.int64) for row in range(queries)]
    if not by_group:
        return own
    of_queries, of_gallery = both_groups(
        search.groups, gallery_groups, len(search.gallery), leave_one_out=leave_one_out
    )
    members = {group: np.flatnonzero(of_gallery == group) for group in np.unique(of_queries)}
    return [members[group] for group in of_queries]


def _positives(
    sets: NDArray[np.bool_], code: Rows, gallery: NDArray[np.bool_], absent: Sequence[Rows]
) -> list[Rows]:
    """Rows of the gallery that share a label with each query, without those that are absent."""
    shared = sets.astype(np.float32) @ gallery.astype(np.float32).T > 0  # [sets, G]
    needed = _BYTES * int(shared.sum(axis=1)[code].sum())
    if 0 < physical_memory() < needed:
        raise InputError(
            f"the queries have so many positives that ranking takes {needed / 2**30:,.1f} GiB",
            "Score fewer queries, or labels that fewer images share.",
        )
    rows = [np.flatnonzero(row) for row in shared]
    return [
        np.setdiff1d(rows[of], without, assume_unique=True)
        for of, without in zip(code, absent, strict=True)
    ]


def _scores(
    ranked: RankedPositives, queries: int, ks: tuple[int, ...], map_at: tuple[int, ...]
) -> dict[str, Tensor]:
    """Scores [queries], NaN for queries without a positive."""
    number = torch.bincount(ranked.query, minlength=queries)
    start = number.cumsum(0) - number
    place = torch.arange(len(ranked.query), device=ranked.query.device) - start[ranked.query]
    ranks = ranked.before + place + 1
    names = score_names(ks, map_at)
    scores = {name: torch.full((queries,), torch.nan, dtype=torch.float64) for name in names}
    for positives in number[number > 0].unique().tolist():
        alike = (number == positives).nonzero().flatten()
        own = ranks[start[alike, None] + torch.arange(positives, device=ranks.device)]
        for name, values in score_ranks(own, ks, map_at).items():
            scores[name][alike.cpu()] = values.cpu()
    return scores
