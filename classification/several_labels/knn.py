"""Weighted k-nearest-neighbour classification of images with several labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lowlabel.arrays import Features, Labels, as_label_sets
from lowlabel.classification.intervals import ClassifierInterval
from lowlabel.classification.labelling.ties import Columns
from lowlabel.classification.several_labels.label_sets import (
    Sets,
    learnable,
    require_same_labels,
    units_of,
)
from lowlabel.classification.several_labels.result import Scores, SeveralLabelsResult
from lowlabel.classification.votes import Part, Vote
from lowlabel.devices import scoring_device
from lowlabel.progress import Progress

_GRID = 2.0**36  # shares that differ by less are ties: far above a sum's rounding


@torch.inference_mode()
def evaluate_knn_several_labels(
    train_features: Features,
    train_labels: Any,
    test_features: Features,
    test_labels: Any,
    *,
    rows: Labels | None = None,
    test_rows: Labels | None = None,
    k: int | Sequence[int] = 20,
    temperature: float = 0.07,
    clip_k: bool = False,
    groups: Labels | None = None,
    interval: ClassifierInterval | None = None,
    block_size: int | None = None,
    device: str | torch.device = "auto",
    progress: Progress | None = None,
) -> dict[int, SeveralLabelsResult]:
    """Evaluates weighted k-nearest-neighbour classification of images with several labels.

    The k most similar train images vote as in `evaluate_knn`, each for all of its labels. The score
    of a test image for a label is the share of the votes, from 0 to 1, of neighbours that have it;
    test images with equal shares are ties.

    Args:
        train_features: Train embeddings of any length, floats [N, D], numpy or torch.
        train_labels: Whether train image i has label j, booleans or 0 and 1, [N, L].
        test_features: Test embeddings, floats [M, D].
        test_labels: Labels of the test images, [M, L].
        rows: Rows of the train images that vote; see `evaluate_knn`.
        test_rows: Rows of the test images that are scored; see `evaluate_knn`.
        k: Number of neighbours, or several.
        temperature: Temperature of the votes, above 0; a smaller one favours the nearest images.
        clip_k: Replaces a k larger than N by N; by default that is an error.
        groups: Group of each test image (patient, camera, burst), any integers, [M].
        interval: What another study would draw anew: test "images", their "groups" or "classes"
            (labels); by default groups where they are given, else images.
        block_size: Number of test images per block; by default as `evaluate_knn`.
        device: Device to compute on; "auto" is a GPU if there is one.
        progress: Called with (test images done, test images) after each block.

    Returns:
        The result of each k.

    Raises:
        InputError: If shapes do not match, features are not floats, not finite or all zero, labels
            are not 0 and 1, no image of a part has a label, or an option is invalid.
        UnknownNameError: If `interval` is unknown.

    Example:
        >>> train = np.array([[1.0, 0.1], [1.0, 0.2], [0.1, 1.0]])
        >>> test = np.array([[1.0, 0.0], [0.0, 1.0]])
        >>> labels = [[1, 0], [1, 1], [0, 1]]
        >>> found = evaluate_knn_several_labels(train, labels, test, [[1, 0], [0, 1]], k=2)
        >>> found[2].metrics["mean_ap"]
        100.0
    """
    vote = Vote.of(
        (train_features, rows),
        (test_features, test_rows),
        k=k,
        temperature=temperature,
        clip_k=clip_k,
        block_size=block_size,
        device=scoring_device(device),
        progress=progress,
    )
    voting, wanted = (
        _labels(vote.train, train_labels, "train"),
        _labels(vote.test, test_labels, "test"),
    )
    require_same_labels({"train": voting, "test": wanted})
    units, known = units_of(wanted, groups, interval), learnable(voting)
    votes = _Votes.of(vote, voting)
    return {
        count: SeveralLabelsResult.of(votes.scorer(count), wanted, known, units)
        for count in vote.ks
    }


@dataclass(frozen=True, eq=False)
class _Votes:
    """Who votes for each test image; what they vote for is looked up label by label.

    Attributes:
        weights: Weight of each vote, float64 [M, k].
        neighbours: Train rows, the nearest first, int32 [M, k].
        labels: Labels of the train images, [N, L].
    """

    weights: NDArray[np.float64]
    neighbours: NDArray[np.int32]
    labels: Sets

    @classmethod
    def of(cls, vote: Vote, labels: Sets) -> "_Votes":
        """Finds the neighbours of all test images."""
        shape = len(vote.test.embeddings), max(vote.ks)
        found = cls(np.empty(shape), np.empty(shape, np.int32), labels)
        for block, weights, neighbours in vote.blocks():
            found.weights[block] = weights.cpu().numpy()
            found.neighbours[block] = neighbours.cpu().numpy()
        return found

    def scorer(self, k: int) -> Scores:
        """The share of the votes of the nearest k for some labels, [M, labels]."""
        from scipy.sparse import csr_array

        weights = self.weights[:, :k]
        images, total = len(weights), weights.sum(1, keepdims=True)
        starts = np.arange(0, images * k + 1, k)
        each = weights.ravel(), self.neighbours[:, :k].ravel(), starts
        votes = csr_array(each, shape=(images, len(self.labels)))

        def shares(columns: Columns) -> NDArray[np.float64]:
            labels = csr_array(self.labels[:, columns], dtype=np.float64)
            found: NDArray[np.float64] = (votes @ labels).toarray()
            found /= total
            return np.rint(found * _GRID, out=found) / _GRID

        return shares


def _labels(part: Part, labels: Any, name: str) -> Sets:
    """The labels of the chosen rows."""
    return part.chosen(as_label_sets(labels, part.images, f"{name} labels", empty=True))
