"""Class-level retrieval: every image, or every query, ranks the others by cosine similarity."""

from collections.abc import Sequence
from typing import get_args

import torch
from torch import Tensor

from lowlabel.devices import resolve_device
from lowlabel.errors import InputError
from lowlabel.retrieval.counting import Comparison, Ties
from lowlabel.retrieval.embeddings import Embeddings
from lowlabel.retrieval.inputs import (
    Array,
    as_features,
    as_labels,
    check_block_size,
    check_ks,
    check_name,
)
from lowlabel.retrieval.metrics import score_names, score_ranks
from lowlabel.retrieval.positives import gallery_layout, leave_one_out_layout
from lowlabel.retrieval.ranking import Progress, Ranking
from lowlabel.retrieval.result import LoneQueries, RetrievalResult

_BLOCK_ROWS = {"cpu": 512}  # a block then stays in a core's cache
_ACCELERATOR_ROWS = 2048


def evaluate_retrieval(
    features: Array,
    labels: Array | Sequence[int],
    *,
    gallery: tuple[Array, Array | Sequence[int]] | None = None,
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
        `lowlabel.retrieval.metrics.score_ranks` for their definitions.

    Raises:
        InputError: If shapes do not fit, features are no finite floats or all zero, labels are no
            integers, a K does not fit, or no query has a positive.
        UnknownNameError: If `ties` or `lone_queries` is not one of those named.

    Example:
        >>> features = np.array([[1.0, 0.1], [1.0, 0.2], [0.1, 1.0], [0.3, 1.0]])
        >>> evaluate_retrieval(features, [0, 0, 1, 1], ks=(1,)).metrics["recall@1"]
        100.0
    """
    check_name("tie policy", ties, get_args(Ties))
    check_name("treatment of lone queries", lone_queries, get_args(LoneQueries))
    place = resolve_device(device)
    queries, query_labels = _embeddings(features, labels, place, "features", "labels")
    if gallery is None:
        searched, layout = queries, leave_one_out_layout(query_labels)
    else:
        searched, gallery_labels = _embeddings(
            *gallery, place, "gallery features", "gallery labels"
        )
        layout = gallery_layout(query_labels, gallery_labels)
    if queries.dimensions != searched.dimensions:
        raise InputError(
            f"queries have {queries.dimensions} dimensions, the gallery {searched.dimensions}"
        )
    ks = check_ks(ks, len(searched) - layout.leave_one_out)
    lone = int((layout.positives == 0).sum())
    if lone == len(queries) and lone_queries == "exclude":
        raise InputError(f"none of the {lone} queries has another image of its class to find")

    ranking = Ranking(
        Comparison(queries, searched, layout, ties),
        lambda ranks: torch.stack(list(score_ranks(ranks, ks).values()), dim=1),
        _block_rows(block_size, place),
        torch.get_num_threads() if place.type == "cpu" else 1,
    )
    scores = torch.zeros(len(queries), len(score_names(ks)), dtype=torch.float64)
    for rows, values in ranking.run(progress):
        scores[rows.cpu()] = values.cpu()
    kept = torch.arange(len(queries))
    if lone_queries == "exclude":
        kept = layout.queries[layout.positives > 0].cpu().sort().values
    per_query = dict(zip(score_names(ks), scores[kept].T.contiguous().numpy(), strict=True))
    return RetrievalResult.of(
        per_query, query_index=kept.numpy(), lone=lone, lone_queries=lone_queries, ties=ties
    )


def _embeddings(
    features: Array, labels: Array | Sequence[int], device: torch.device, name: str, label_name: str
) -> tuple[Embeddings, Tensor]:
    checked = as_features(features, name)
    checked_labels = as_labels(labels, len(checked), label_name)
    return Embeddings.of(checked.to(device), name), checked_labels.to(device)


def _block_rows(block_size: int | None, device: torch.device) -> int:
    if block_size is None:
        return _BLOCK_ROWS.get(device.type, _ACCELERATOR_ROWS)
    return check_block_size(block_size)
