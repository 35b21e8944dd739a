"""Logistic regressions of several labels, fitted together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lowlabel.classification.labelling.ties import Columns, on_grid
from lowlabel.classification.logistic.binary import BINARY_CROSS_ENTROPIES
from lowlabel.classification.logistic.path import TOLERANCE, LogisticFit, fit_path
from lowlabel.classification.logistic.problem import Tick
from lowlabel.classification.rows import Rows
from lowlabel.classification.several_labels.label_sets import require_learnable
from lowlabel.classification.several_labels.result import mean_average_precision

_ROWS = 4096
_SMALLEST = 1e-14  # tolerance, beyond which float64 does not tell objectives apart
_TOGETHER = 512  # labels whose weights are minimised as one objective


@dataclass(frozen=True, eq=False)
class LabelClassifier:
    """Fits of all labels with one C.

    Attributes:
        weight: Weights of each label, float64 [L, D]; 0 where nothing could be learned.
        bias: Intercepts for centred features, [L].
        fits: The fits of labels that were fitted together.
    """

    weight: Tensor
    bias: Tensor
    fits: Sequence[LogisticFit]

    @classmethod
    def of(
        cls, labels: int, blocks: Sequence[Tensor], fits: Sequence[LogisticFit]
    ) -> "LabelClassifier":
        """Brings the fits of blocks of labels together."""
        weight = fits[0].weight.new_zeros(labels, fits[0].weight.shape[1])
        bias = weight.new_zeros(labels)
        for block, fit in zip(blocks, fits, strict=True):
            weight[block], bias[block] = fit.weight, fit.bias
        return cls(weight, bias, fits)

    @property
    def c(self) -> float:
        """Inverse strength of the penalty."""
        return self.fits[0].c

    @property
    def steps(self) -> int:
        """Most Newton steps of a fit."""
        return max(fit.steps for fit in self.fits)

    @property
    def converged(self) -> bool:
        """Whether all fits did."""
        return all(fit.converged for fit in self.fits)

    @property
    def objective(self) -> float:
        """Sum over labels of scikit-learn's objective."""
        return sum(fit.objective for fit in self.fits)

    def scores(self, x: Rows, columns: Columns) -> NDArray[np.float64]:
        """Logit of some labels against their absence, [N, columns]."""
        labels = torch.from_numpy(columns).to(self.bias.device)
        weight, bias, center = self.weight[labels].T, self.bias[labels], self.fits[0].center
        found = np.empty((len(x), len(columns)))
        for rows, part in x.blocks(_ROWS):
            logits = torch.addmm(bias, part.double() - center, weight)
            found[rows] = logits.cpu().numpy()
        return on_grid(found)

    def start(self, block: Tensor) -> LogisticFit:
        """Where the fit of a block of labels starts."""
        first = self.fits[0]
        return LogisticFit(
            first.c, self.weight[block], self.bias[block], first.center, first.objective, 0, True
        )


class EachLabel:
    """Each label against its absence, with scikit-learn's objective of two classes."""

    def fits(
        self,
        x: Rows,
        targets: Tensor,
        cs: Sequence[float],
        start: LabelClassifier | None,
        max_iter: int,
        tick: Tick,
    ) -> Iterator[LabelClassifier]:
        """See `Problem`; blocks of labels are fitted together, and alternate from C to C.

        Raises:
            InputError: If each label is that of all or none of the images.
        """
        known = np.flatnonzero(require_learnable(targets.cpu().numpy()))
        blocks = torch.from_numpy(known).to(targets.device).split(_TOGETHER)
        paths = [
            fit_path(
                x,
                targets[:, block],
                len(block),
                cs,
                loss=BINARY_CROSS_ENTROPIES,
                start=None if start is None else start.start(block),
                tolerance=_tolerance(targets[:, block]),
                max_iter=max_iter,
                tick=tick,
            )
            for block in blocks
        ]
        for fits in zip(*paths, strict=True):
            yield LabelClassifier.of(targets.shape[1], blocks, fits)

    def quality(self, fitted: LabelClassifier, x: Rows, targets: Tensor) -> float:
        """Mean average precision over the labels that an image has."""
        sets = targets.cpu().numpy()
        return mean_average_precision(lambda columns: fitted.scores(x, columns), sets)


def _tolerance(targets: Tensor) -> float:
    """The tolerance of the sum of all labels that is one of each, the rarest included.

    A label's share of the sum is that of the losses of intercepts alone.
    """
    share = targets.double().mean(0)
    loss = torch.special.entr(share) + torch.special.entr(1 - share)
    return max(TOLERANCE * float(loss.min() / loss.sum()), _SMALLEST)
