"""Weighted k-nearest-neighbour classification of images with several labels."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lowlabel.arrays import (
    Features,
    Labels,
    as_features,
    as_integers,
    as_label_sets,
    require_same_width,
)
from lowlabel.classification.intervals import ClassifierInterval
from lowlabel.classification.nearest_train import nearest, usual_block
from lowlabel.classification.several_labels.label_sets import (
    learnable,
    require_same_labels,
    units_of,
)
from lowlabel.classification.several_labels.result import SeveralLabelsResult
from lowlabel.classification.votes import require_temperature, voter_counts
from lowlabel.devices import scoring_device
from lowlabel.embeddings import Embeddings
from lowlabel.progress import Progress

_GRID = 2.0**36  # shares that differ by less are ties: far above a sum's rounding
_ELEMENTS = 2**23  # of the labels of neighbours that are held at once


@torch.inference_mode()
def evaluate_knn_several_labels(
    train_features: Features,
    train_labels: Any,
    test_features: Features,
    test_labels: Any,
    *,
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
    require_temperature(temperature)
    place = scoring_device(device)
    train, voting = _checked(train_features, train_labels, place, "train")
    test, wanted = _checked(test_features, test_labels, place, "test")
    require_same_width({"train features": train.dimensions, "test features": test.dimensions})
    require_same_labels({"train": voting, "test": wanted})
    units = units_of(wanted, groups, interval)
    ks = voter_counts(k, len(train), clip_k)
    (rows,) = as_integers(1, block_size=block_size or usual_block(place))
    labels = torch.from_numpy(voting).to(place)
    shares = {count: np.empty(wanted.shape) for count in ks}
    done = 0
    for block, cosines, neighbours in nearest(train, test, max(ks), rows):
        weights = ((cosines - cosines[:, :1]) / temperature).exp()
        for count in ks:
            found = _shares(labels, neighbours[:, :count], weights[:, :count])
            shares[count][block] = found.cpu().numpy()
        done += len(weights)
        if progress is not None:
            progress(done, len(test))
    known = learnable(voting)
    return {
        count: SeveralLabelsResult.of(scores, wanted, known, units)
        for count, scores in shares.items()
    }


def _shares(labels: Tensor, neighbours: Tensor, weights: Tensor) -> Tensor:
    """Share of the votes for each label, [B, L].

    Args:
        labels: Labels of the train images, bool [N, L].
        neighbours: Train rows, int64 [B, k].
        weights: Weight of each vote, float64 [B, k].
    """
    step = max(1, _ELEMENTS // (neighbours.shape[1] * labels.shape[1]))
    parts = zip(neighbours.split(step), weights.split(step), strict=True)
    votes = [(each[:, None] @ labels[rows].double())[:, 0] for rows, each in parts]
    return (torch.cat(votes) / weights.sum(1, keepdim=True) * _GRID).round_() / _GRID


def _checked(
    features: Features, labels: Any, device: torch.device, part: str
) -> tuple[Embeddings, NDArray[np.bool_]]:
    found = Embeddings.of(as_features(features, f"{part} features").to(device), f"{part} features")
    return found, as_label_sets(labels, len(found), f"{part} labels", empty=True)
