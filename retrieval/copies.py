"""Copy detection: each altered picture should find the original that it was made from."""

from collections.abc import Sequence

import torch

from lowlabel.arrays import Features, Labels, as_integers, as_labels
from lowlabel.progress import Progress
from lowlabel.retrieval.ranking.comparison import Ties
from lowlabel.retrieval.ranking.instance_retrieval import InstanceRetrieval, InstanceSearch
from lowlabel.retrieval.ranking.products import Transform
from lowlabel.retrieval.ranking.sources import RowSource
from lowlabel.retrieval.result import RetrievalInterval, RetrievalResult
from lowlabel.retrieval.revisited_metrics import Ranks


def evaluate_copies(
    query: Features,
    query_groups: Labels,
    originals: Features,
    original_groups: Labels,
    *,
    distractors: RowSource | Sequence[RowSource] = (),
    top: int = 20,
    ties: Ties = "pessimistic",
    transform: Transform | None = None,
    groups: Labels | None = None,
    interval: RetrievalInterval = "classes",
    block_size: int | None = None,
    device: str | torch.device = "auto",
    progress: Progress | None = None,
) -> RetrievalResult:
    """Scores copy detection by the mean average precision within the first `top` images.

    The protocol of Copydays (Douze et al., CIVR 2009) as evaluated by DINO (Caron et al., ICCV
    2021, arXiv:2104.14294), where strong copies are queries against the originals and 10,000
    distractors.

    Args:
        query: Floats [Q, D], numpy or torch. Only their directions matter.
        query_groups: Integers [Q]: the original that each query was made from.
        originals: Floats [G, D].
        original_groups: Integers [G].
        distractors: Further images, as for `evaluate_revisited`.
        top: Number of ranks within which an original counts as found.
        ties: How another image as similar as the original is ranked; see `evaluate_retrieval`.
        transform: Applied to features [n, D] before they are compared, for example whitening.
        groups: Other groups of queries, integers [Q], for the interval over groups.
        interval: What another study would draw anew: "classes" (originals), "queries" or "groups";
            the result has all of them. Every query keeps its ranking.
        block_size: Database images that each thread compares at once.
        device: Device to compute on; "auto" uses a GPU if there is one.
        progress: Called with the number of database images done and their total.

    Returns:
        The metric "map@{top}" in percent. A copy without an original is left out and counted in
        `lone`.

    Raises:
        InputError: If shapes or models do not match, or features are not finite floats or are all
            zero.

    Example:
        >>> import numpy as np
        >>> originals, copy = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[0.9, 0.1]])
        >>> evaluate_copies(copy, [7], originals, [7, 8]).metrics["map@20"]
        100.0
    """
    (top,) = as_integers(1, top=top)
    search = InstanceRetrieval.of(
        query,
        originals,
        distractors,
        gallery_name="original",
        ties=ties,
        transform=transform,
        groups=groups,
        interval=interval,
        block_size=block_size,
        device=device,
    )
    return score_copies(search, query_groups, original_groups, top, progress)


def score_copies(
    search: InstanceSearch,
    query_groups: Labels,
    original_groups: Labels,
    top: int,
    progress: Progress | None,
) -> RetrievalResult:
    """Scores a search; see `evaluate_copies`."""
    queries = search.query_count
    copies = torch.from_numpy(as_labels(query_groups, queries, "query_groups"))
    groups = torch.from_numpy(as_labels(original_groups, search.image_count, "original_groups"))
    positives = [(groups == copy).nonzero().flatten() for copy in copies]
    ranked = search.rank(positives, [groups.new_empty(0)] * queries, progress)
    ranks = Ranks.of(ranked, torch.ones_like(ranked.row, dtype=torch.bool), queries)
    scores = {f"map@{top}": ranks.average_precision(top)}
    return search.result(scores, ranked, copies.numpy(), "originals")
