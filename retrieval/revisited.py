"""Landmark retrieval with the protocol of Revisited Oxford and Paris."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lowlabel.retrieval.ground_truth import GroundTruth, read_ground_truth
from lowlabel.retrieval.inputs import Array, check_ks
from lowlabel.retrieval.ranking.counting import Ties
from lowlabel.retrieval.ranking.database import RankedPositives, Transform
from lowlabel.retrieval.ranking.exact_ranker import Progress
from lowlabel.retrieval.ranking.rank_labelled import Search, labelled_result
from lowlabel.retrieval.ranking.sources import RowSource
from lowlabel.retrieval.result import RetrievalResult
from lowlabel.retrieval.revisited_metrics import Ranks

MODES = {"easy": ("easy",), "medium": ("easy", "hard"), "hard": ("hard",)}


def evaluate_revisited(
    query: Array,
    gallery: Array,
    ground_truth: GroundTruth,
    *,
    distractors: RowSource | Sequence[RowSource] = (),
    ks: Sequence[int] = (1, 5, 10),
    ties: Ties = "pessimistic",
    transform: Transform | None = None,
    block_size: int | None = None,
    device: str | torch.device = "auto",
    progress: Progress | None = None,
) -> RetrievalResult:
    """Scores landmark retrieval as easy, medium and hard (Radenović et al., arXiv:1803.11285).

    Easy takes the easy images as positives and ignores the hard and the junk ones, medium takes
    the easy and the hard, hard takes the hard; what is ignored is as if it were not there. A
    positive's rank is a count of larger similarities, so nothing is sorted and the database passes
    by in blocks.

    Args:
        query: Floats [Q, D], numpy or torch; their lengths do not matter.
        gallery: Floats [G, D].
        ground_truth: For each query its `easy`, `hard` and `junk` rows in the gallery, as in the
            `gnd` of the published files; other keys are left alone.
        distractors: Further images that are nobody's positive, in one source or many: arrays, or
            `h5py.Dataset`s and the like, which are read in blocks and never held at once.
        ks: The k of mP@k.
        ties: What a negative as similar as a positive counts for; see `evaluate_retrieval`.
        transform: From features [n, D] to what is compared, for example whitening; applied to
            queries, gallery and each block of distractors.
        block_size: Database images compared at once by each thread; by default as many as make
            some tens of MB.
        device: Where to compute; "auto" is a GPU when there is one.
        progress: Called with the number of database images done and their total.

    Returns:
        Percent by metric: "map_easy", "map_medium", "map_hard", and "mp@k_easy", … for every k. A
        query without a positive in a mode has NaN there and is left out of the mean; a mode in
        which no query has one is left out. `lone` counts the queries without any.

    Raises:
        InputError: If shapes or models do not fit, features are no finite floats or all zero, or
            the ground truth names images that are not there.

    Example:
        >>> gallery = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]])
        >>> truth = [{"easy": [1], "hard": [], "junk": []}]
        >>> evaluate_revisited(gallery[:1], gallery, truth).metrics["map_easy"]
        25.0
    """
    ks = check_ks(ks, len(gallery))
    keys = [*MODES["medium"], "junk"]
    lists = read_ground_truth(ground_truth, keys, len(query), len(gallery))
    positives = [torch.cat(pair) for pair in zip(lists["easy"], lists["hard"], strict=True)]
    search = Search(distractors, ties, transform, block_size, device, progress)
    ranked = search.rank(query, gallery, positives, lists["junk"])
    scores: dict[str, Tensor] = {}
    for mode, kinds in MODES.items():
        kept = torch.stack([_among(ranked, lists[kind], len(gallery)) for kind in kinds]).any(dim=0)
        if kept.any():
            ranks = Ranks.of(ranked, kept, len(query))
            scores[f"map_{mode}"] = ranks.average_precision()
            scores |= {f"mp@{k}_{mode}": ranks.precision(k) for k in ks}
    return labelled_result(scores, ranked, len(query), ties)


def _among(ranked: RankedPositives, rows: Sequence[Tensor], images: int) -> Tensor:
    """Which of the ranked positives are among these rows of their query."""
    pairs = torch.cat([query * images + listed for query, listed in enumerate(rows)])
    return torch.isin(ranked.query * images + ranked.row, pairs.to(ranked.row.device))
