"""Landmarks and copies by ranked lists."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lowlabel.arrays import Labels, as_counts, as_integers, as_labels, require_name
from lowlabel.progress import Progress
from lowlabel.retrieval.copies import score_copies
from lowlabel.retrieval.ground_truth import GroundTruth
from lowlabel.retrieval.lists.ranked_lists import END, RankedLists, negatives_before
from lowlabel.retrieval.ranking.comparison import Ties
from lowlabel.retrieval.ranking.database import RankedPositives
from lowlabel.retrieval.ranking.instance_retrieval import InstanceSearch, with_positives
from lowlabel.retrieval.ranking.ranker import NOT_FOUND
from lowlabel.retrieval.result import RetrievalInterval, RetrievalResult, require_interval
from lowlabel.retrieval.revisited import score_revisited

IntArray = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class ListSearch(InstanceSearch):
    """Ranked lists in place of a search.

    Attributes:
        lists: The lists.
        images: Number of gallery images; listed rows beyond them are distractors.
    """

    lists: RankedLists
    images: int

    @classmethod
    def of(
        cls,
        ranking: Labels,
        scores: object,
        images: int,
        distractors: int,
        *,
        ties: Ties,
        groups: Labels | None,
        interval: RetrievalInterval,
    ) -> "ListSearch":
        """Checks lists and options.

        Raises:
            InputError: As `RankedLists.of`, or if there are no groups for their interval.
            UnknownNameError: If there is no such tie policy or interval.
        """
        require_name("tie policy", ties, get_args(Ties))
        require_interval(interval, groups)
        as_integers(1, images=images)
        as_integers(0, distractors=distractors)
        rows = np.asarray(ranking)
        given = None if scores is None else np.asarray(scores, dtype=np.float64)
        lists = RankedLists.of(rows, given, len(rows), images + distractors)
        grouped = None if groups is None else as_labels(groups, len(rows), "groups")
        return cls(ties=ties, groups=grouped, interval=interval, lists=lists, images=images)

    @property
    def query_count(self) -> int:
        """Q."""
        return len(self.lists.rows)

    @property
    def image_count(self) -> int:
        """G."""
        return self.images

    def rank(
        self, positives: Sequence[Tensor], ignored: Sequence[Tensor], progress: Progress | None
    ) -> RankedPositives:
        """Ranks by the lists; positives that they lack have the rank `NOT_FOUND`."""
        queries = with_positives(positives).sort().values.tolist()
        ranked = []
        for done, query in enumerate(queries, 1):
            rows, before = self._ranked(query, positives[query].numpy(), ignored[query].numpy())
            ranked.append((np.full(len(rows), query), rows, before))
            if progress is not None:
                progress(done, len(queries))
        columns = (np.concatenate(column) for column in zip(*ranked, strict=True))
        return RankedPositives(*(torch.from_numpy(column) for column in columns))

    def _ranked(
        self, query: int, positives: IntArray, ignored: IntArray
    ) -> tuple[IntArray, IntArray]:
        """The positives of a query, the best first, with the number of negatives before each."""
        rows, levels = self.lists.rows[query], self.lists.levels[query]
        positive = np.isin(rows, positives)
        negative = ~positive & ~np.isin(rows, ignored) & (rows != END)
        before = negatives_before(
            (rows[negative], levels[negative]), (rows[positive], levels[positive]), self.ties
        )
        missing = np.setdiff1d(positives, rows)
        every = np.concatenate([rows[positive], missing])
        counts = np.concatenate([before, np.full(len(missing), NOT_FOUND)])
        order = np.lexsort((every, counts))
        return every[order], counts[order]


def evaluate_revisited_ranking(
    ranking: Labels,
    ground_truth: GroundTruth,
    *,
    images: int,
    distractors: int = 0,
    scores: object = None,
    ks: Sequence[int] = (1, 5, 10),
    ties: Ties = "pessimistic",
    landmarks: Labels | None = None,
    groups: Labels | None = None,
    interval: RetrievalInterval = "classes",
    progress: Progress | None = None,
) -> RetrievalResult:
    """Scores ranked lists of landmarks, as `evaluate_revisited` scores embeddings.

    Args:
        ranking: Rows of gallery images, the nearest first, integers [Q, K], and from G on of
            distractors; -1 after the end of a list. One row per query: the published evaluation
            code takes the transpose.
        ground_truth: See `evaluate_revisited`.
        images: G, the number of gallery images.
        distractors: Number of further images.
        scores: Score of each listed image, never rising within a list, floats [Q, K]; equal ones
            are ties.
        ks: The k of mP@k.
        ties: See `evaluate_revisited`.
        landmarks: See `evaluate_revisited`.
        groups: See `evaluate_revisited`.
        interval: See `evaluate_revisited`.
        progress: Called with the number of queries done and their total.

    Returns:
        The scores of `evaluate_revisited`. A positive that is not in its list is a miss: it adds
        nothing to the average precision.

    Raises:
        InputError: If lists or scores are invalid, or the ground truth names images that do not
            exist.

    Example:
        >>> truth = [{"easy": [2], "hard": [], "junk": [0]}]
        >>> evaluate_revisited_ranking([[0, 2, 1]], truth, images=3).metrics["map_easy"]
        100.0
    """
    search = ListSearch.of(
        ranking, scores, images, distractors, ties=ties, groups=groups, interval=interval
    )
    return score_revisited(search, ground_truth, as_counts(ks, "ks"), landmarks, progress)


def evaluate_copies_ranking(
    ranking: Labels,
    query_groups: Labels,
    original_groups: Labels,
    *,
    distractors: int = 0,
    scores: object = None,
    top: int = 20,
    ties: Ties = "pessimistic",
    groups: Labels | None = None,
    interval: RetrievalInterval = "classes",
    progress: Progress | None = None,
) -> RetrievalResult:
    """Scores ranked lists of copies' originals, as `evaluate_copies` scores embeddings.

    Args:
        ranking: Rows of originals, as for `evaluate_revisited_ranking`.
        query_groups: Integers [Q]: the original that each query was made from.
        original_groups: Integers [G].
        distractors: Number of further images.
        scores: Score of each listed image, never rising within a list, floats [Q, K].
        top: See `evaluate_copies`.
        ties: See `evaluate_copies`.
        groups: See `evaluate_copies`.
        interval: See `evaluate_copies`.
        progress: Called with the number of queries done and their total.

    Returns:
        The metric "map@{top}" in percent, to which originals that their list lacks add nothing.

    Raises:
        InputError: If lists, scores or groups are invalid.

    Example:
        >>> evaluate_copies_ranking([[1, 0]], [7], [8, 7]).metrics["map@20"]
        100.0
    """
    (top,) = as_integers(1, top=top)
    search = ListSearch.of(
        ranking,
        scores,
        len(original_groups),
        distractors,
        ties=ties,
        groups=groups,
        interval=interval,
    )
    return score_copies(search, query_groups, original_groups, top, progress)
