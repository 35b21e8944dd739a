"""The loss of linear heads of several labels, and their mAP."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lowlabel.classification.probe.losses import HeadLoss, Heads, block_rows
from lowlabel.classification.rows import Rows
from lowlabel.classification.several_labels.average_precision import average_precision

_ELEMENTS = 2**23  # of the scores that are ranked at once


class BinaryCrossEntropies(HeadLoss):
    """Each label by itself; targets say whether an image has it, bool [B, C].

    Losses are added over labels: each learns at the recipe's rate, as if it were alone.
    """

    def gradient(self, scores: Tensor, targets: Tensor) -> Tensor:
        """See `HeadLoss`."""
        return scores.sigmoid_().sub_(targets[:, None].to(scores.dtype))

    def qualities(
        self, heads: Heads, features: Rows, part: slice, classes: int, targets: Tensor
    ) -> list[float]:
        """Mean average precisions over labels that an image has; 0 without finite scores."""
        sets = targets.cpu().numpy()
        areas = np.zeros(heads.count)
        labels = torch.from_numpy(np.flatnonzero(sets.any(axis=0))).to(targets.device)
        for of_block in labels.split(max(1, _ELEMENTS // (len(features) * heads.count))):
            step = block_rows(heads.count * len(of_block))
            blocks = [heads.scores(x[:, part], of_block) for _, x in features.blocks(step)]
            scores, own = torch.cat(blocks).cpu().numpy(), sets[:, of_block.cpu().numpy()]
            for head in range(heads.count):
                if np.isfinite(of := scores[:, head].astype(np.float64)).all():
                    areas[head] += _sum_of_areas(of, own)
        shares: list[float] = (100 * areas / len(labels)).tolist()
        return shares


def _sum_of_areas(scores: NDArray[np.float64], sets: NDArray[np.bool_]) -> float:
    of_labels = zip(scores.T, sets.T, strict=True)
    return sum(average_precision(each, own).value for each, own in of_labels)
