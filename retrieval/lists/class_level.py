"""Class-level retrieval of ranked lists."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import get_args

import numpy as np
import torch

from lowlabel.arrays import Labels, as_counts, as_labels, require_at_most, require_name
from lowlabel.progress import Progress
from lowlabel.retrieval.class_level import (
    check_searchable,
    find_rivals,
    ignoring_groups,
    scored_queries,
    summary,
)
from lowlabel.retrieval.lists.ranked_lists import ListSimilarity, RankedLists
from lowlabel.retrieval.metrics import score_names
from lowlabel.retrieval.ranking.comparison import Comparison, Ties
from lowlabel.retrieval.ranking.precomputed_ranker import PrecomputedRanker
from lowlabel.retrieval.ranking.query_gallery import QueryGallery
from lowlabel.retrieval.result import (
    LoneQueries,
    RetrievalInterval,
    RetrievalResult,
    require_interval,
)

_BLOCK_ROWS = 512
_CPU = torch.device("cpu")


def evaluate_ranking(
    ranking: Labels,
    labels: Labels,
    *,
    gallery_labels: Labels | None = None,
    scores: object = None,
    ks: Sequence[int] = (1, 2, 4, 8),
    map_at: Sequence[int] = (),
    ties: Ties = "pessimistic",
    lone_queries: LoneQueries = "exclude",
    groups: Labels | None = None,
    gallery_groups: Labels | None = None,
    ignore_same_group: bool = False,
    interval: RetrievalInterval = "classes",
    progress: Progress | None = None,
) -> RetrievalResult:
    """Scores ranked lists, whatever made them, as `evaluate_retrieval` scores embeddings.

    Args:
        ranking: Rows of gallery images, the nearest first, integers [Q, K]; -1 after the end of a
            list. A query's own image in its list is left out where queries are the gallery.
        labels: Class of each query, integers [Q].
        gallery_labels: Class of each gallery image, integers [G]; None if queries are the gallery.
        scores: Score of each listed image, never rising within a list, floats [Q, K]; equal ones
            are ties. Without scores there are no ties.
        ks: The K of Recall@K, each at most the length of the shortest list.
        map_at: The k of mAP@k.
        ties: See `evaluate_retrieval`.
        lone_queries: See `evaluate_retrieval`.
        groups: See `evaluate_retrieval`.
        gallery_groups: See `evaluate_retrieval`.
        ignore_same_group: See `evaluate_retrieval`.
        interval: See `evaluate_retrieval`. Of lists that do not hold the whole gallery, the
            interval of Recall@K over classes deletes each class from the queries alone.
        progress: Called with the number of queries done and their total.

    Returns:
        The scores of `evaluate_retrieval`. A positive that is not in its list is a miss; mAP and
        MRR, which need whole rankings, are left out if any list lacks an image of the gallery.

    Raises:
        InputError: If lists, scores or labels are invalid (see `RankedLists.of`), a K exceeds a
            list, or no query has a positive.
        UnknownNameError: If `ties`, `lone_queries` or `interval` is unknown.

    Example:
        >>> lists = [[1, 2, 3], [0, 2, 3], [0, 3, 1], [2, 0, 1]]
        >>> evaluate_ranking(lists, [0, 0, 1, 1], ks=(1,)).metrics["recall@1"]
        75.0
    """
    require_name("tie policy", ties, get_args(Ties))
    require_name("treatment of lone queries", lone_queries, get_args(LoneQueries))
    require_interval(interval, groups)
    data, lists = _data(ranking, labels, gallery_labels, scores)
    grouped = None if groups is None else as_labels(groups, len(data.queries), "groups")
    if ignore_same_group:
        data = ignoring_groups(data, grouped, gallery_groups)
    ks = as_counts(ks, "ks")
    map_at = as_counts(map_at, "map_at") if len(map_at) else ()
    compared = lists.compared(leave_one_out=data.layout.leave_one_out)
    require_at_most("ks", ks, int(compared.min()), "images in the shortest list")
    check_searchable(data, lone_queries, by_group=ignore_same_group)
    whole = int(compared.min()) == data.compared
    rivals = find_rivals(data, ks) if whole else None
    similarity = ListSimilarity(lists, len(data.gallery))
    ranker = PrecomputedRanker(
        replace(Comparison(data.queries, data.gallery, data.layout, ties), precomputed=True),
        similarity,
        partial(summary, ks=ks, map_at=map_at, whole=whole),
        _BLOCK_ROWS,
        rivals,
        None if whole else similarity.found,
    )
    return scored_queries(
        data,
        ranker,
        score_names(ks, map_at, whole=whole),
        ks,
        rivals,
        groups=grouped,
        interval=interval,
        lone_queries=lone_queries,
        ties=ties,
        progress=progress,
    )


def _data(
    ranking: Labels, labels: Labels, gallery_labels: Labels | None, scores: object
) -> tuple[QueryGallery, RankedLists]:
    """Queries and gallery by their labels, with embeddings that are never compared."""
    rows = np.asarray(ranking)
    of_queries = as_labels(labels, len(labels))
    of_gallery = of_queries
    if gallery_labels is not None:
        of_gallery = as_labels(gallery_labels, len(gallery_labels), "gallery_labels")
    given = None if scores is None else np.asarray(scores, dtype=np.float64)
    lists = RankedLists.of(rows, given, len(of_queries), len(of_gallery))
    blank = [torch.ones(len(each), 1) for each in (of_queries, of_gallery)]
    gallery = None if gallery_labels is None else (blank[1], of_gallery)
    return QueryGallery.of((blank[0], of_queries), gallery, _CPU), lists
