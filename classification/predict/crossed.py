"""Which images methods classify correctly without the folds that they lie in."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from numpy.typing import NDArray

from lowlabel.classification.predict.candidates import Classifier
from lowlabel.classification.predict.labelled import Labelled
from lowlabel.progress import Progress


@dataclass(frozen=True, eq=False)
class Crossed:
    """Cross-validation of several methods, with every fold and every two folds left out.

    Attributes:
        fold: The fold of each image, 0 … F-1, or `ALWAYS`, [N].
        correct: Whether each method is right about an image when its fold is left out, [methods,
            N]; False for those that are always learned from.
        hits: Number of images of fold j that each method is right about when folds i and j are left
            out, [methods, i, j]; on the diagonal, when that fold alone is.
    """

    fold: NDArray[np.int64]
    correct: NDArray[np.bool_]
    hits: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        images: Labelled,
        learners: Sequence[Classifier],
        fold: NDArray[np.int64],
        progress: Progress | None = None,
    ) -> "Crossed":
        """Fits every method without each fold, and without each two if there is a choice."""
        count = int(fold.max()) + 1
        correct = np.zeros((len(learners), len(fold)), dtype=bool)
        hits = np.zeros((len(learners), count, count), dtype=np.int64)
        alone = [(number,) for number in range(count)]
        pairs = list(combinations(range(count), 2)) if len(learners) > 1 else []
        jobs = [(place, out) for out in (*alone, *pairs) for place in range(len(learners))]
        for done, (place, out) in enumerate(jobs, 1):
            rows = np.flatnonzero(np.isin(fold, out))
            new = images.features[torch.from_numpy(rows).to(images.device)]
            learned = np.flatnonzero(~np.isin(fold, out))
            right = images.predicted(learners[place], learned, new) == images.classes[rows]
            for scored, other in {(out[0], out[-1]), (out[-1], out[0])}:
                hits[place, other, scored] = right[fold[rows] == scored].sum()
            if len(out) == 1:
                correct[place, rows] = right
            if progress is not None:
                progress(done, len(jobs))
        return cls(fold, correct, hits)

    def best(self) -> int:
        """The method that is right most often, the first of equal ones."""
        return int(np.trace(self.hits, axis1=1, axis2=2).argmax())

    def chosen(self) -> NDArray[np.int64]:
        """The method that is best on the other folds, learned without each fold, [F]."""
        inner = self.hits.sum(2) - np.diagonal(self.hits, axis1=1, axis2=2)
        found: NDArray[np.int64] = inner.argmax(0)
        return found

    def nested(self) -> NDArray[np.bool_]:
        """Whether the method that is chosen without an image's fold is right about it, [N]."""
        return self.correct[self.chosen()[self.fold], np.arange(len(self.fold))]
