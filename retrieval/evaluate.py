"""Class-level retrieval: every image, or every query, ranks the others by cosine similarity."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import get_args

import torch
from torch import Tensor

from lowlabel.arrays import (
    Features,
    Labels,
    as_counts,
    as_integers,
    as_labels,
    require_name,
)
from lowlabel.devices import scoring_device
from lowlabel.progress import Progress
from lowlabel.retrieval.class_level import (
    check_searchable,
    find_rivals,
    ignoring_groups,
    require_compared,
    scored_queries,
    summary,
)
from lowlabel.retrieval.clustering import SEEDS, Scores, clustering_scores
from lowlabel.retrieval.metrics import score_names
from lowlabel.retrieval.post import PostProcessing, build_chain, check_chain
from lowlabel.retrieval.ranking.approximate_ranker import ApproximateRanker
from lowlabel.retrieval.ranking.comparison import Comparison, Ties
from lowlabel.retrieval.ranking.exact_ranker import ExactRanker
from lowlabel.retrieval.ranking.precomputed_ranker import PrecomputedRanker
from lowlabel.retrieval.ranking.query_gallery import LabelledFeatures, QueryGallery
from lowlabel.retrieval.ranking.ranker import Ranker
from lowlabel.retrieval.ranking.rivals import Rivals
from lowlabel.retrieval.result import (
    LoneQueries,
    RetrievalInterval,
    RetrievalResult,
    require_interval,
)
from lowlabel.retrieval.search import EXACT, Index, build_index
from lowlabel.workers import cpu_workers

_BLOCK_ROWS = {"cpu": 512}  # a block then stays in the cache of a core
_ACCELERATOR_ROWS = 2048


def evaluate_retrieval(
    features: Features,
    labels: Labels,
    *,
    gallery: LabelledFeatures | None = None,
    train: Features | None = None,
    train_labels: Labels | None = None,
    post: Sequence[str | PostProcessing] = (),
    search: str | Index = EXACT,
    nmi: bool = False,
    nmi_seeds: int = SEEDS,
    ks: Sequence[int] = (1, 2, 4, 8),
    map_at: Sequence[int] = (),
    ties: Ties = "pessimistic",
    lone_queries: LoneQueries = "exclude",
    groups: Labels | None = None,
    gallery_groups: Labels | None = None,
    ignore_same_group: bool = False,
    interval: RetrievalInterval = "classes",
    block_size: int | None = None,
    device: str | torch.device = "auto",
    progress: Progress | None = None,
) -> RetrievalResult:
    """Scores how well cosine similarity ranks images of the same class first.

    Without a `gallery`, every image is a query against all others, its own image left out by its
    index (CUB-200-2011, Cars-196, Stanford Online Products). With a gallery, the features are
    queries against it (In-Shop). Similarities are compared as in float64, so the scores depend
    neither on the block size nor on the device; similarities that are equal in float64 are ties.

    Args:
        features: Floats [N, D], numpy or torch. Only their directions matter.
        labels: Integers [N].
        gallery: Features [G, D] and labels [G] to search in, which include no query.
        train: Features [T, D] of other images, which whitening is trained on.
        train_labels: Integers [T], from which "whiten-pairs" takes its pairs.
        post: Post-processing in order, or specs such as "whiten:256", "aqe:10"; see
            `lowlabel.retrieval.post`.
        search: "exact", or a faiss index or its spec: "flat", "ivf,probe=32", "hnsw". An index
            returns lists of the nearest images. A positive in the list has the rank of the exact
            search, any other is a miss, so no score exceeds that of the exact search; mAP and
            MRR, which need whole rankings, are left out. "search_recall" is the share of the
            max(ks) nearest images that the index finds.
        nmi: Whether to cluster the images by k-means as well, and score the clusters.
        nmi_seeds: Number of k-means runs, whose scores are averaged.
        ks: The K of Recall@K, each at most the number of images that a query is compared with.
        map_at: The k of mAP@k, which is left out by default.
        ties: How a negative as similar as a positive is ranked: before it ("pessimistic", by
            which constant embeddings score 0), after it ("optimistic"), or by its index
            ("index").
        lone_queries: Whether queries without a positive are left out ("exclude") or score 0
            ("miss"); the result counts them.
        groups: Integers [N]: the patient, camera or burst of each image, for the interval over
            groups of queries.
        gallery_groups: Integers [G], numbered as `groups`.
        ignore_same_group: Whether the images of a query's own group are as absent as its own image:
            neither positives nor negatives. Post-processing and indexes see all images.
        interval: What another study would draw anew: "classes", of which each is deleted in turn
            from queries and gallery for Recall@K, and from the queries for other scores; "queries"
            (against this gallery), or "groups". The result has all of them.
        block_size: Queries that each thread compares at once; by default 512 on a CPU, 2048
            elsewhere. A block of similarities holds 4 x its square.
        device: Device to compute on; "auto" uses a GPU if there is one.
        progress: Called with the number of queries done and their total.

    Returns:
        Recall@K, precision@1, MAP@R, R-Precision, mAP and MRR in percent, defined in
        `lowlabel.retrieval.metrics.score_ranks`, and NMI, AMI and F1, defined in
        `lowlabel.retrieval.clustering.clustering_scores`.

    Raises:
        InputError: If shapes do not match, features are not finite floats or are all zero, labels
            are not integers, a K is out of range, or no query has a positive.
        UnknownNameError: If `ties`, `lone_queries`, `interval`, `search` or a `post` is unknown.

    Example:
        >>> import numpy as np
        >>> features = np.array([[1.0, 0.1], [1.0, 0.2], [0.1, 1.0], [0.3, 1.0]])
        >>> evaluate_retrieval(features, [0, 0, 1, 1], ks=(1,)).metrics["recall@1"]
        100.0
    """
    require_name("tie policy", ties, get_args(Ties))
    require_name("treatment of lone queries", lone_queries, get_args(LoneQueries))
    require_interval(interval, groups)
    device, index = scoring_device(device), build_index(search)
    steps = build_chain(post)
    check_chain(steps, index=index is not None, nmi=nmi)
    block_rows = _block_rows(block_size, device)
    as_integers(1, nmi_seeds=nmi_seeds)
    data = QueryGallery.of((features, labels), gallery, device)
    grouped = None if groups is None else as_labels(groups, len(data.queries), "groups")
    if ignore_same_group:
        data = ignoring_groups(data, grouped, gallery_groups)
    ks = as_counts(ks, "ks")
    map_at = as_counts(map_at, "map_at") if len(map_at) else ()
    require_compared(ks, data.others, by_group=ignore_same_group)
    check_searchable(data, lone_queries, by_group=ignore_same_group)
    data = data.processed(steps, train, train_labels)
    rivals = None if index else find_rivals(data, ks)
    ranker = _ranker(data, index, ks, map_at, ties, block_rows, rivals)
    recall = ranker.recall(max(ks)) if isinstance(ranker, ApproximateRanker) else None
    return scored_queries(
        data,
        ranker,
        score_names(ks, map_at, whole=index is None),
        ks,
        rivals,
        overall={} if recall is None else {"search_recall": recall},
        per_seed=_clustering_scores(data, nmi_seeds) if nmi else {},
        groups=grouped,
        interval=interval,
        lone_queries=lone_queries,
        ties=ties,
        progress=progress,
    )


def _ranker(
    data: QueryGallery,
    index: Index | None,
    ks: tuple[int, ...],
    map_at: tuple[int, ...],
    ties: Ties,
    block_rows: int,
    rivals: Rivals | None,
) -> Ranker[Tensor]:
    """Ranks within the lists of an index, or else over the whole gallery."""
    summarise = partial(summary, ks=ks, map_at=map_at, whole=index is None)
    comparison = Comparison(data.queries, data.gallery, data.layout, ties)
    workers = cpu_workers(data.query_labels.device)
    if index:
        wanted = max(*ks, *map_at, int(data.layout.positives.max()))
        ignored = data.layout.ignored.largest if data.layout.ignored else 0
        depth = min(data.compared, wanted + ignored + 1)  # float32 may swap the last two
        return ApproximateRanker(
            index, comparison, *data.unit_rows(), depth, summarise, block_rows, workers
        )
    if data.similarity is not None:
        precomputed = replace(comparison, precomputed=True)
        return PrecomputedRanker(precomputed, data.similarity, summarise, block_rows, rivals)
    return ExactRanker(comparison, summarise, block_rows, workers, rivals=rivals)


def _clustering_scores(data: QueryGallery, seeds: int) -> Scores:
    """NMI, AMI and F1 of all images: the queries, and the gallery if it is another set."""
    queries, gallery = data.unit_rows()
    if data.layout.leave_one_out:
        return clustering_scores(queries, data.query_labels, seeds)
    labels = torch.cat([data.query_labels, data.gallery_labels])
    return clustering_scores(torch.cat([queries, gallery]), labels, seeds)


def _block_rows(block_size: int | None, device: torch.device) -> int:
    if block_size is None:
        return _BLOCK_ROWS.get(device.type, _ACCELERATOR_ROWS)
    return as_integers(1, block_size=block_size)[0]
