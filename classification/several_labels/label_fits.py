"""Logistic regressions of several labels, and the choice of one C for all of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from lowlabel.classification.logistic.choice import Fits
from lowlabel.classification.logistic.path import LogisticFit
from lowlabel.classification.rows import Rows
from lowlabel.classification.several_labels.label_sets import Sets, learnable
from lowlabel.classification.several_labels.result import mean_average_precision
from lowlabel.errors import InputError

_ROWS = 4096
_GRID = 2.0**40  # relative; logits that differ by less are ties: products are rounded by place


@dataclass(frozen=True)
class LabelClassifier:
    """A fit of each label with one C.

    Attributes:
        c: Inverse strength of the penalty.
        fits: By label; None where nothing could be learned.
    """

    c: float
    fits: Sequence[LogisticFit | None]

    def scores(self, x: Rows) -> NDArray[np.float64]:
        """Logit of each label against its absence, [N, L]; 0 where nothing was learned."""
        found = np.zeros((len(x), len(self.fits)))
        places = [label for label, fit in enumerate(self.fits) if fit is not None]
        fits = [fit for fit in self.fits if fit is not None]
        weight = torch.stack([fit.weight[1] - fit.weight[0] for fit in fits])
        bias = torch.stack([fit.bias[1] - fit.bias[0] for fit in fits])
        for rows, part in x.blocks(_ROWS):
            logits = torch.addmm(bias, part.double() - fits[0].center, weight.T)
            found[rows, places] = logits.cpu().numpy()
        _, exponent = np.frexp(np.abs(found).max(axis=0))
        step = np.ldexp(1 / _GRID, exponent)
        on_grid: NDArray[np.float64] = np.rint(found / step) * step
        return on_grid


@dataclass(frozen=True)
class LabelFits:
    """Fits every label by itself.

    Attributes:
        fits: Progress of all fits, and which of them did not converge.
    """

    fits: Fits

    def fit(
        self,
        x: Rows,
        sets: Sets,
        cs: Sequence[float],
        *,
        start: LabelClassifier | None = None,
    ) -> list[LabelClassifier]:
        """Fits every label for each C.

        Args:
            x: Features to learn from, [N, D].
            sets: Whether each image has each label, [N, L].
            cs: The values of C, in ascending order.
            start: Where to start.

        Raises:
            InputError: If some images have no label, and others none that they lack.
        """
        known = learnable(sets)
        if not known.any():
            raise InputError(
                f"nothing can be told apart: each label is that of all or none of the {len(sets)} "
                "train images"
            )
        found: list[list[LogisticFit | None]] = [[None] * sets.shape[1] for _ in cs]
        for label in np.flatnonzero(known).tolist():
            targets = torch.from_numpy(sets[:, label].astype(np.int64)).to(x.device)
            first = start.fits[label] if start is not None else None
            for of, fitted in zip(found, self.fits.fit(x, targets, cs, start=first), strict=True):
                of[label] = fitted
        return [LabelClassifier(c, of) for c, of in zip(cs, found, strict=True)]

    def choose(
        self, fitted: Sequence[LabelClassifier], x: Rows, sets: Sets
    ) -> tuple[LabelClassifier, dict[str, float]]:
        """The classifier with the highest mAP on some images, the smallest C of equal ones.

        Args:
            fitted: The candidates, by ascending C.
            x: Features to choose on, [V, D].
            sets: Whether each image has each label, [V, L]; one of them at least.

        Returns:
            The classifier, and the mAP of every candidate in percent, by spec.
        """
        areas = [100 * mean_average_precision(each.scores(x), sets) for each in fitted]
        tried = {self.fits.spec(of.c): area for of, area in zip(fitted, areas, strict=True)}
        return fitted[int(np.argmax(areas))], tried
