"""Class-level retrieval once a ranker is there: from ranks to scores with their intervals."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lowlabel.arrays import Labels, as_labels, require_at_most
from lowlabel.errors import InputError
from lowlabel.progress import Progress
from lowlabel.retrieval.intervals import class_codes, recall_without, score_intervals
from lowlabel.retrieval.metrics import score_names, score_ranks
from lowlabel.retrieval.ranking.comparison import Ties
from lowlabel.retrieval.ranking.query_gallery import QueryGallery
from lowlabel.retrieval.ranking.ranker import Ranker
from lowlabel.retrieval.ranking.rivals import Rivals
from lowlabel.retrieval.result import LoneQueries, RetrievalInterval, RetrievalResult

Groups = NDArray[np.int64]


def require_compared(ks: Sequence[int], others: int, *, by_group: bool) -> None:
    """Raises an `InputError` if a query is compared with fewer images than the largest K.

    Args:
        ks: The K of Recall@K.
        others: Number of images that every query is compared with, at least.
        by_group: Whether the images of a query's own group are ignored.
    """
    if by_group and others < 1:
        raise InputError(
            "a query is compared with no image: all that are searched are of its group, and "
            "ignored",
            "Check the groups, or leave ignore_same_group (--ignore-same-group) out.",
        )
    require_at_most("ks", ks, others, "other images that a query is compared with")


def check_searchable(data: QueryGallery, lone_queries: LoneQueries, *, by_group: bool) -> None:
    """Raises an `InputError` if no query has a positive, or every image is one.

    Args:
        data: Queries and gallery.
        lone_queries: What is done with queries without a positive.
        by_group: Whether the images of a query's own group are ignored.
    """
    if data.without_positives == len(data.queries) and lone_queries == "exclude":
        raise InputError(
            f"none of the {len(data.queries)} queries has another image of its class "
            + ("and of another group to find" if by_group else "to find")
        )
    if bool((data.gallery_labels == data.gallery_labels[0]).all()):
        raise InputError(
            f"all {data.others:,} images that a query is compared with have one class: every "
            "ranking is perfect",
            "Add images of other classes, or check the labels.",
        )


def both_groups(
    groups: Groups | None, gallery_groups: Labels | None, images: int, *, leave_one_out: bool
) -> tuple[Groups, Groups]:
    """Groups of the queries and of the gallery, whose own are ignored by each query.

    Args:
        groups: Group of each query, int64 [Q].
        gallery_groups: Group of each gallery image; None if queries are the gallery.
        images: Number of gallery images.
        leave_one_out: Whether queries are the gallery.

    Raises:
        InputError: If groups are missing, or are not integers [images].
    """
    if groups is None or (gallery_groups is None and not leave_one_out):
        missing = "groups" if groups is None else "gallery_groups"
        raise InputError(
            f"ignore_same_group needs {missing}, the group of each image", f"Pass {missing}=."
        )
    if gallery_groups is None:
        return groups, groups
    return groups, as_labels(gallery_groups, images, "gallery_groups")


def ignoring_groups(
    data: QueryGallery, groups: Groups | None, gallery_groups: Labels | None
) -> QueryGallery:
    """Ignores the images of a query's own group."""
    sides = both_groups(
        groups, gallery_groups, len(data.gallery), leave_one_out=data.layout.leave_one_out
    )
    queries, gallery = (torch.from_numpy(side).to(data.query_labels.device) for side in sides)
    return data.ignoring(queries, gallery)


def summary(ranks: Tensor, *, ks: Sequence[int], map_at: Sequence[int], whole: bool) -> Tensor:
    """Scores of queries by the ranks of their positives, [queries, scores]; see `score_names`."""
    scores = score_ranks(ranks, ks, map_at)
    return torch.stack([scores[name] for name in score_names(ks, map_at, whole=whole)], dim=1)


def find_rivals(data: QueryGallery, ks: Sequence[int]) -> Rivals:
    """What lists the rivals that decide Recall@K without a class."""
    _, gallery_classes = class_codes(data.query_labels, data.gallery_labels)
    return Rivals((1, *ks), data.layout, gallery_classes)


def scored_queries(
    data: QueryGallery,
    ranker: Ranker[Tensor],
    names: Sequence[str],
    ks: Sequence[int],
    rivals: Rivals | None,
    *,
    overall: Mapping[str, float] = MappingProxyType({}),
    per_seed: Mapping[str, NDArray[np.float64]] = MappingProxyType({}),
    groups: NDArray[np.int64] | None,
    interval: RetrievalInterval,
    lone_queries: LoneQueries,
    ties: Ties,
    progress: Progress | None,
) -> RetrievalResult:
    """Ranks all queries and summarises their scores.

    Args:
        data: Queries and gallery.
        ranker: Gives the `summary` of the ranks of queries.
        names: Names of the scores.
        ks: The K of Recall@K.
        rivals: What the ranker listed; None if it lists none.
        overall: Scores of all queries together; none by default.
        per_seed: Scores of clusters; none by default.
        groups: Group of each query, [Q], if there are groups.
        interval: The kind of interval that the result shows.
        lone_queries: What is done with queries without a positive.
        ties: How ties are ranked.
        progress: Called with the number of queries done and their total.
    """
    scores = torch.zeros(len(data.queries), len(names), dtype=torch.float64)
    for rows, values in ranker.run(progress):
        scores[rows.cpu()] = values.cpu()
    scored = torch.arange(len(data.queries))
    if lone_queries == "exclude":
        scored = data.layout.queries[data.layout.scored > 0].cpu().sort().values
    per_query = dict(zip(names, scores[scored].T.contiguous().numpy(), strict=True))
    query_classes, _ = class_codes(data.query_labels, data.gallery_labels)
    chosen, classes = scored.numpy(), query_classes.cpu().numpy()
    without = recall_without(rivals, classes, chosen, ks) if rivals else {}
    return RetrievalResult.of(
        per_query,
        overall,
        per_seed=per_seed,
        intervals=score_intervals(
            per_query,
            classes[chosen],
            groups=None if groups is None else groups[chosen],
            without=without,
            per_seed=per_seed,
        ),
        interval=interval,
        query_index=chosen,
        lone=data.without_positives,
        lone_queries=lone_queries,
        ties=ties,
    )
