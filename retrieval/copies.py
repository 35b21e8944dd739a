"""Copy detection: each altered picture is to find the original that it was made from."""

from collections.abc import Sequence

import torch

from lowlabel.errors import InputError
from lowlabel.retrieval.inputs import Array, as_labels
from lowlabel.retrieval.ranking.counting import Ties
from lowlabel.retrieval.ranking.database import Transform
from lowlabel.retrieval.ranking.exact_ranker import Progress
from lowlabel.retrieval.ranking.rank_labelled import Search, labelled_result
from lowlabel.retrieval.ranking.sources import RowSource
from lowlabel.retrieval.result import RetrievalResult
from lowlabel.retrieval.revisited_metrics import Ranks


def evaluate_copies(
    query: Array,
    query_groups: Array | Sequence[int],
    originals: Array,
    original_groups: Array | Sequence[int],
    *,
    distractors: RowSource | Sequence[RowSource] = (),
    top: int = 20,
    ties: Ties = "pessimistic",
    transform: Transform | None = None,
    block_size: int | None = None,
    device: str | torch.device = "auto",
    progress: Progress | None = None,
) -> RetrievalResult:
    """Scores copy detection by the mean average precision over the first `top` images.

    That is Copydays (Douze et al., CIVR 2009) as DINO evaluates it (Caron et al., ICCV 2021,
    arXiv:2104.14294): strong copies are queries against the originals and 10,000 distractors.

    Args:
        query: Floats [Q, D], numpy or torch; their lengths do not matter.
        query_groups: Integers [Q]: which original each was made from.
        originals: Floats [G, D].
        original_groups: Integers [G].
        distractors: Further images, as for `evaluate_revisited`.
        top: Originals at later ranks than these many are not found.
        ties: What another image as similar as the original counts for; see `evaluate_retrieval`.
        transform: From features [n, D] to what is compared, for example whitening.
        block_size: Database images compared at once by each thread.
        device: Where to compute; "auto" is a GPU when there is one.
        progress: Called with the number of database images done and their total.

    Returns:
        The metric "map@{top}" in percent. A copy without an original is left out and counted in
        `lone`.

    Raises:
        InputError: If shapes or models do not fit, or features are no finite floats or all zero.

    Example:
        >>> originals, copy = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[0.9, 0.1]])
        >>> evaluate_copies(copy, [7], originals, [7, 8]).metrics["map@20"]
        100.0
    """
    if isinstance(top, bool) or not isinstance(top, int) or top < 1:
        raise InputError(f"top={top!r} must be an integer from 1 up")
    copies = as_labels(query_groups, len(query), "query_groups")
    groups = as_labels(original_groups, len(originals), "original_groups")
    positives = [(groups == copy).nonzero().flatten() for copy in copies]
    search = Search(distractors, ties, transform, block_size, device, progress)
    ranked = search.rank(query, originals, positives, [groups.new_empty(0)] * len(copies))
    ranks = Ranks.of(ranked, torch.ones_like(ranked.row, dtype=torch.bool), len(copies))
    return labelled_result({f"map@{top}": ranks.average_precision(top)}, ranked, len(copies), ties)
