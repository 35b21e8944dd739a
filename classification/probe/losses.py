"""What linear heads minimise, and how they are chosen."""

from abc import ABC, abstractmethod
from typing import Protocol

import torch
from torch import Tensor

from lowlabel.classification.rows import Rows

_FEW_CLASSES = 32
_BLOCK_ELEMENTS = 2**24


class Heads(Protocol):
    """Heads for one input; see `LinearHeads`."""

    count: int

    def scores(self, features: Tensor, classes: Tensor | None = None) -> Tensor:
        """Scores [B, R, C] of features [B, D], of all classes or some."""


class HeadLoss(ABC):
    """What heads minimise on a batch, and what they are chosen by."""

    @abstractmethod
    def gradient(self, scores: Tensor, targets: Tensor) -> Tensor:
        """Gradient of each image's loss by the scores [B, R, C], which it may overwrite."""

    @abstractmethod
    def qualities(
        self, heads: Heads, features: Rows, part: slice, classes: int, targets: Tensor
    ) -> list[float]:
        """How good each head is on images to choose on, in percent.

        Args:
            heads: The heads.
            features: Features [V, D].
            part: The columns that are the input of the heads.
            classes: Number of classes C.
            targets: As those of the batches.
        """


class CrossEntropy(HeadLoss):
    """One class of several; targets are columns, int64 [B]."""

    def gradient(self, scores: Tensor, targets: Tensor) -> Tensor:
        """See `HeadLoss`."""
        gradient = _softmax(scores)
        own = targets[:, None, None].expand(-1, scores.shape[1], 1)
        return gradient.scatter_add_(2, own, gradient.new_full((), -1.0).expand_as(own))

    def qualities(
        self, heads: Heads, features: Rows, part: slice, classes: int, targets: Tensor
    ) -> list[float]:
        """Top-1 accuracies."""
        hits = torch.zeros(heads.count, dtype=torch.int64, device=targets.device)
        for rows, block in features.blocks(block_rows(heads.count * classes)):
            predicted = heads.scores(block[:, part]).argmax(2)
            hits += (predicted == targets[rows, None]).sum(0)
        shares: list[float] = (100 * hits.double() / len(features)).tolist()
        return shares


CROSS_ENTROPY = CrossEntropy()


def block_rows(width: int) -> int:
    """Number of rows such that a block of float32 [rows, width] has at most 64 MiB."""
    return max(1, _BLOCK_ELEMENTS // width)


def _softmax(scores: Tensor) -> Tensor:
    """Softmax of scores [B, R, C] over the classes.

    On a CPU, torch's takes five times as long where a row is shorter than a vector register.
    """
    if scores.shape[2] > _FEW_CLASSES:
        return torch.softmax(scores, dim=2)
    powers = (scores - scores.amax(2, keepdim=True)).exp_()
    return powers.div_(powers.sum(2, keepdim=True))
