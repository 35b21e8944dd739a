"""Weighted k-nearest-neighbour classification, the protocol of DINO."""

from collections.abc import Iterator, Sequence
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lowlabel.arrays import (
    Features,
    Labels,
    as_labels,
    require_name,
)
from lowlabel.classification.classes import number_classes
from lowlabel.classification.intervals import ClassifierInterval, Units
from lowlabel.classification.metrics import classification_values
from lowlabel.classification.result import KNNResult
from lowlabel.classification.votes import EQUAL_VOTES, Part, Vote, class_votes, shares, winners
from lowlabel.devices import scoring_device
from lowlabel.progress import Progress

Unvoted = Literal["never", "fill"]
DEFAULT_KS = (10, 20, 100, 200)
_TOPS = (1, 5)
_VALUE_ROWS = 4096


@torch.inference_mode()
def evaluate_knn(
    train_features: Features,
    train_labels: Labels,
    test_features: Features,
    test_labels: Labels,
    *,
    rows: Labels | None = None,
    test_rows: Labels | None = None,
    k: int | Sequence[int] = 20,
    temperature: float = 0.07,
    clip_k: bool = False,
    unvoted: Unvoted = "never",
    all_metrics: bool = False,
    probabilistic: bool = True,
    groups: Labels | None = None,
    interval: ClassifierInterval | None = None,
    block_size: int | None = None,
    device: str | torch.device = "auto",
    progress: Progress | None = None,
) -> KNNResult:
    """Evaluates weighted k-nearest-neighbour classification by cosine similarity.

    Each of the k most similar train images votes for its class with exp(cosine / temperature)
    (Caron et al., "Emerging Properties in Self-Supervised Vision Transformers", ICCV 2021,
    arXiv 2104.14294, with k from 10, 20, 100, 200 and temperature 0.07). Similarities are
    computed in float64. Of equally similar images the first is nearer; of classes with equal votes
    the lower label wins.

    Args:
        train_features: Train embeddings of any length, floats [N, D], numpy or torch.
        train_labels: Class of each train image, any integers, [N].
        test_features: Test embeddings, floats [M, D].
        test_labels: Class of each test image, integers [M].
        rows: Rows of the train images that vote, integers [n]; by default all.
        test_rows: Rows of the test images that are scored, integers; by default all. Both tables
            may be the same, and neither is copied.
        k: Number of neighbours, or several.
        temperature: Temperature of the votes, above 0; a smaller one favours the nearest images.
        clip_k: Replaces a k larger than N by N; by default that is an error.
        unvoted: Whether top-5 counts a class without a vote: "never", or "fill" as DINO's code
            does: where fewer than min(5, k) classes have a vote, others fill the places, the
            lowest labels first (DINO's order among them is not defined).
        all_metrics: Whether the shares of the votes are scored as probabilities too: the metrics of
            `ClassifierResult` for each k.
        probabilistic: Whether AUROC and calibration error are among all metrics.
        groups: Group of each scored test image (patient, camera, burst), any integers, [M].
        interval: What another study would draw anew: test "images", their "groups" or "classes"; by
            default groups where they are given, else images. The result has all of them.
        block_size: Number of test images per block; by default 512 on a CPU, 4096 elsewhere.
        device: Device to compute on; "auto" is a GPU if there is one.
        progress: Called with (test images done, test images) after each block.

    Returns:
        Top-1 and top-5 accuracy for each k, in percent, and which test images are correct.

    Raises:
        InputError: If shapes do not match, features are not floats, not finite or all zero, labels
            are not integers, no test image has a train class, or an option is invalid.
        UnknownNameError: If `unvoted` or `interval` is unknown.

    Example:
        >>> train = np.array([[1.0, 0.1], [1.0, 0.2], [0.1, 1.0]])
        >>> test = np.array([[1.0, 0.0], [0.0, 1.0]])
        >>> evaluate_knn(train, [7, 7, 9], test, [7, 9], k=2).metrics["top1@2"]
        100.0
    """
    require_name("treatment of classes without a vote", unvoted, get_args(Unvoted))
    device = scoring_device(device)
    vote = Vote.of(
        (train_features, rows),
        (test_features, test_rows),
        k=k,
        temperature=temperature,
        clip_k=clip_k,
        block_size=block_size,
        device=device,
        progress=progress,
    )
    voting_labels = _labels(vote.train, train_labels, "train")
    wanted_labels = _labels(vote.test, test_labels, "test")
    units = Units.of(wanted_labels, groups, interval)
    names, train_classes, test_classes = number_classes(voting_labels, wanted_labels)
    ks, images = vote.ks, len(wanted_labels)

    train_targets = torch.from_numpy(train_classes).to(device)
    test_targets = torch.from_numpy(test_classes).to(device)
    ranks = np.empty((len(ks), images), np.int64)
    held = images if all_metrics else 0  # AUROC compares all test images
    all_weights = torch.empty(held, max(ks), dtype=torch.float64, device=device)
    all_voted = torch.empty(held, max(ks), dtype=torch.int64, device=device)
    for block, weights, neighbours in vote.blocks():
        voted = train_targets[neighbours]
        for row, count in enumerate(ks):
            votes = class_votes(voted[:, :count], weights[:, :count], len(names))
            found = _ranks(votes, test_targets[block], fill=unvoted == "fill")
            ranks[row, block] = found.cpu().numpy()
        if all_metrics:
            all_weights[block], all_voted[block] = weights, voted
    correct = {
        f"top{top}@{count}": ranks[row] < min(top, count)  # no more classes than k have a vote
        for top in _TOPS
        for row, count in enumerate(ks)
    }
    values = {}
    for count in ks if all_metrics else ():
        votes = class_votes(all_voted[:, :count], all_weights[:, :count], len(names))
        values[count] = _values(votes, test_targets, correct[f"top5@{count}"], probabilistic)
    unseen = int((test_classes < 0).sum())
    return KNNResult(correct, ks, float(temperature), len(names), unseen, units, values)


def knn_votes(
    train: tuple[Features, NDArray[np.int64]],
    test: Features,
    classes: int,
    *,
    rows: Labels | None = None,
    k: int,
    temperature: float,
    device: torch.device,
) -> Iterator[Tensor]:
    """Share of the votes of each class, for the next test images in order, float64 [q, classes].

    Equal votes of the winners are exactly equal. Arguments are those of `evaluate_knn`, with train
    classes from 0 to classes − 1.

    Raises:
        InputError: As `evaluate_knn`.
    """
    vote = Vote.of(
        (train[0], rows),
        (test, None),
        k=k,
        temperature=temperature,
        clip_k=False,
        block_size=None,
        device=device,
        progress=None,
    )
    targets = torch.from_numpy(_labels(vote.train, train[1], "train")).to(device)
    queries = len(vote.test.embeddings)
    weights = torch.empty(queries, k, dtype=torch.float64, device=device)
    voted = torch.empty(queries, k, dtype=torch.int64, device=device)
    for block, of_block, neighbours in vote.blocks():
        weights[block], voted[block] = of_block, targets[neighbours]
    for each, of in zip(weights.split(_VALUE_ROWS), voted.split(_VALUE_ROWS), strict=True):
        yield shares(class_votes(of, each, classes))


def _values(
    votes: Tensor, targets: Tensor, top5: NDArray[np.bool_], probabilistic: bool
) -> dict[str, NDArray[np.float64]]:
    """All metrics of the shares of the votes, which take their place."""
    predicted = torch.cat([winners(part) for part in votes.split(_VALUE_ROWS)])
    hits = torch.from_numpy(top5).to(targets.device).double()
    probabilities = votes.div_(votes.sum(1, keepdim=True))
    return classification_values(
        probabilities, targets, predicted, hits, probabilistic=probabilistic
    )


def _ranks(votes: Tensor, targets: Tensor, *, fill: bool) -> Tensor:
    """Number of classes ranked before the target, [B].

    It is the largest int64 if the target has no vote, unless those `fill` the places by label.
    """
    classes = torch.arange(votes.shape[1], device=votes.device)
    target_votes = votes.gather(1, targets.clamp(min=0)[:, None])
    margin = EQUAL_VOTES * target_votes
    before = votes > target_votes + margin
    before |= (votes >= target_votes - margin) & (classes < targets[:, None])
    ranked = targets >= 0
    if not fill:
        ranked &= target_votes[:, 0] > 0
    return torch.where(ranked, before.sum(1), torch.iinfo(torch.int64).max)


def _labels(part: Part, labels: Labels, name: str) -> NDArray[np.int64]:
    """The labels of the chosen rows."""
    return part.chosen(as_labels(labels, part.images, f"{name} labels"))
