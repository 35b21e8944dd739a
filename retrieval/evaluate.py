"""Class-level retrieval: every image, or every query, ranks the others by cosine similarity."""

from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

import torch
from torch import Tensor

from lowlabel.devices import resolve_device
from lowlabel.errors import InputError
from lowlabel.retrieval.inputs import Array, check_block_size, check_ks, check_name
from lowlabel.retrieval.metrics import score_names, score_ranks
from lowlabel.retrieval.post import build_post
from lowlabel.retrieval.ranking.counting import Comparison, Ties
from lowlabel.retrieval.ranking.exact_ranker import Progress, Ranking
from lowlabel.retrieval.ranking.precomputed_ranker import GivenRanking
from lowlabel.retrieval.ranking.query_gallery import Labelled, Task
from lowlabel.retrieval.ranking.top_k_ranker import ListRanking
from lowlabel.retrieval.result import LoneQueries, RetrievalResult
from lowlabel.retrieval.search import EXACT, Index, build_index

_BLOCK_ROWS = {"cpu": 512}  # a block then stays in a core's cache
_ACCELERATOR_ROWS = 2048


def evaluate_retrieval(
    features: Array,
    labels: Array | Sequence[int],
    *,
    gallery: Labelled | None = None,
    train: Array | None = None,
    post: Sequence[str] = (),
    search: str = EXACT,
    nmi: bool = False,
    ks: Sequence[int] = (1, 2, 4, 8),
    ties: Ties = "pessimistic",
    lone_queries: LoneQueries = "exclude",
    block_size: int | None = None,
    device: str | torch.device = "auto",
    progress: Progress | None = None,
) -> RetrievalResult:
    """Scores how well cosine similarity brings images of a query's class to the top.

    Without a `gallery` every image is a query against all others, itself left out by its index
    (CUB-200-2011, Cars-196, Stanford Online Products); with one, the features are queries against
    it (In-Shop). Similarities are compared as in float64, so the scores depend neither on the
    block size nor on the processor; two that float64 cannot tell apart are a tie.

    Args:
        features: Floats [N, D], numpy or torch; their lengths do not matter.
        labels: Integers [N].
        gallery: Features [G, D] and labels [G] to search in, none of them a query.
        train: Features [T, D] of other images, which whitening learns from.
        post: Post-processing in order, as ("whiten:256", "aqe:10"); see `lowlabel.retrieval.post`.
        search: "exact", or an index of faiss ("flat", "ivf,probe=32", "hnsw"), whose lists hold the
            nearest images only: mAP and MRR, which need whole rankings, are then left out, and
            "search_recall" says what share of the max(ks) nearest images the index finds.
        nmi: Whether to cluster the images by k-means, too, and score the clusters.
        ks: The K of Recall@K; each at most the number of images that a query is compared with.
        ties: What a negative as similar as a positive counts for: it stands before the positive
            ("pessimistic", under which constant embeddings score 0), after it ("optimistic"), or
            where its index puts it ("index").
        lone_queries: Whether a query without any positive is left out ("exclude") or scores 0
            ("miss"); the result tells how many there are.
        block_size: Queries compared at once by each thread; by default 512 on a CPU, 2048
            elsewhere. A block of similarities holds 4 x its square.
        device: Where to compute; "auto" is a GPU when there is one.
        progress: Called with the number of queries done and their total.

    Returns:
        Recall@K, precision@1, MAP@R, R-Precision, mAP and MRR in percent; see
        `lowlabel.retrieval.metrics.score_ranks` for their definitions, and
        `lowlabel.retrieval.clustering.nmi` for NMI's.

    Raises:
        InputError: If shapes do not fit, features are no finite floats or all zero, labels are no
            integers, a K does not fit, or no query has a positive.
        UnknownNameError: If `ties`, `lone_queries`, `search` or a `post` is none that exists.

    Example:
        >>> features = np.array([[1.0, 0.1], [1.0, 0.2], [0.1, 1.0], [0.3, 1.0]])
        >>> evaluate_retrieval(features, [0, 0, 1, 1], ks=(1,)).metrics["recall@1"]
        100.0
    """
    check_name("tie policy", ties, get_args(Ties))
    check_name("treatment of lone queries", lone_queries, get_args(LoneQueries))
    place, index = resolve_device(device), build_index(search)
    block_rows = _block_rows(block_size, place)
    task = Task.of((features, labels), gallery, place)
    ks = check_ks(ks, task.others)
    if task.lone == len(task.queries) and lone_queries == "exclude":
        raise InputError(f"none of the {task.lone} queries has another image of its class to find")
    task = task.processed([build_post(spec) for spec in post], train)
    if task.similarity is not None and (index or nmi):
        raise InputError(
            f"{post[-1]} gives similarities, which {'an index' if index else 'NMI'} cannot use",
            f"Leave {'--search' if index else '--nmi'} or {post[-1]} out.",
        )

    ranking = _ranking(task, index, ks, ties, block_rows)
    names = score_names(ks, whole=index is None)
    scores = torch.zeros(len(task.queries), len(names), dtype=torch.float64)
    for rows, values in ranking.run(progress):
        scores[rows.cpu()] = values.cpu()
    kept = torch.arange(len(task.queries))
    if lone_queries == "exclude":
        kept = task.layout.queries[task.layout.positives > 0].cpu().sort().values
    overall = {"search_recall": ranking.recall(max(ks))} if isinstance(ranking, ListRanking) else {}
    return RetrievalResult.of(
        dict(zip(names, scores[kept].T.contiguous().numpy(), strict=True)),
        overall | ({"nmi": _nmi(task)} if nmi else {}),
        query_index=kept.numpy(),
        lone=task.lone,
        lone_queries=lone_queries,
        ties=ties,
    )


def _ranking(
    task: Task, index: Index | None, ks: tuple[int, ...], ties: Ties, block_rows: int
) -> Ranking[Tensor] | GivenRanking[Tensor] | ListRanking[Tensor]:
    """By counting cosines or given similarities over the whole gallery, or from lists."""

    def summarise(ranks: Tensor) -> Tensor:
        scores = score_ranks(ranks, ks)
        return torch.stack([scores[name] for name in score_names(ks, whole=index is None)], dim=1)

    compared = Comparison(task.queries, task.gallery, task.layout, ties)
    if index:
        wanted = max(*ks, int(task.layout.positives.max()))
        depth = min(task.others, wanted + 1)  # one more shows whether the last wanted one ties
        return ListRanking(index, compared, *task.unit_rows(), depth, summarise)
    if task.similarity is not None:
        given = replace(compared, given=True)
        return GivenRanking(given, task.similarity, summarise, block_rows)
    workers = torch.get_num_threads() if task.query_labels.device.type == "cpu" else 1
    return Ranking(compared, summarise, block_rows, workers)


def _nmi(task: Task) -> float:
    """NMI of all images: the queries, and the gallery where it is another set."""
    from lowlabel.retrieval.clustering import nmi

    queries, gallery = task.unit_rows()
    if task.layout.leave_one_out:
        return nmi(queries, task.query_labels)
    labels = torch.cat([task.query_labels, task.gallery_labels])
    return nmi(torch.cat([queries, gallery]), labels)


def _block_rows(block_size: int | None, device: torch.device) -> int:
    if block_size is None:
        return _BLOCK_ROWS.get(device.type, _ACCELERATOR_ROWS)
    return check_block_size(block_size)
