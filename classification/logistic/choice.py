"""The C that is best on validation images."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from lowlabel.classification.logistic.path import LogisticFit, fit_path
from lowlabel.classification.rows import Rows
from lowlabel.progress import Progress
from lowlabel.specs import Option, format_spec


def method_spec(norm: str, c: float | Sequence[float] | None) -> str:
    """Such as "logreg,c=0.1"; None for the usual values of C, to choose from."""
    options: dict[str, Option] = {} if norm == "none" else {"norm": norm}
    if c is not None:
        cs = sorted(c) if isinstance(c, Sequence) else [c]
        options["c"] = cs[0] if len(cs) == 1 else tuple(cs)
    return format_spec("logreg", options)


@dataclass
class Fits:
    """Fits of one evaluation: their progress, and which of them did not converge.

    Attributes:
        classes: Number of classes.
        max_iter: Largest number of Newton steps of a fit.
        norm: Normalisation of the features, for specs.
        total: Number of fits.
        progress: Called with (fits done, fits) after each Newton step.
        done: Number of fits done.
        not_converged: Specs of fits that did not converge.
    """

    classes: int
    max_iter: int
    norm: str
    total: int
    progress: Progress | None
    done: int = 0
    not_converged: list[str] = field(default_factory=list)

    def spec(self, c: float) -> str:
        """The method with one C."""
        return method_spec(self.norm, c)

    def fit(
        self,
        x: Rows,
        targets: Tensor,
        cs: Sequence[float],
        *,
        start: LogisticFit | None = None,
    ) -> Iterator[LogisticFit]:
        """Yields the fit of each C, in ascending order, and warns where one does not converge."""
        for fitted in fit_path(
            x,
            targets,
            self.classes,
            cs,
            start=start,
            max_iter=self.max_iter,
            tick=self._tell,
        ):
            self.done += 1
            self._tell()
            if not fitted.converged:
                self._note(fitted)
            yield fitted

    def choose(
        self,
        x: Rows,
        targets: Tensor,
        cs: Sequence[float],
        images: tuple[Rows, Tensor],
    ) -> tuple[LogisticFit, dict[str, float]]:
        """The fit with the highest top-1 accuracy on `images`, the smallest C of equal ones.

        Args:
            x: Features to learn from, [N, D].
            targets: Class of each example, [N].
            cs: The candidates, in ascending order.
            images: Features to choose on and their classes, negative for other classes.

        Returns:
            The fit, and the accuracy of every candidate in percent, by spec.
        """
        best, tried = None, {}
        for fitted in self.fit(x, targets, cs):
            tried[self.spec(fitted.c)] = accuracy = 100 * fitted.accuracy(*images)
            if best is None or accuracy > tried[self.spec(best.c)]:
                best = fitted
        assert best is not None
        return best, tried

    def record(self, c: float, tried: dict[str, float]) -> dict[str, object]:
        """What a result says of the choice of C."""
        chosen: dict[str, object] = {"method": self.spec(c), "tried": tried} if tried else {}
        if self.not_converged:
            chosen["not_converged"] = self.not_converged
        return chosen

    def _note(self, fitted: LogisticFit) -> None:
        spec = self.spec(fitted.c)
        warnings.warn(
            f"{spec} did not converge in {fitted.steps} Newton steps and is used as it is; raise "
            "max_iter (--set logistic-regression.max_iter=N), or leave this C out",
            stacklevel=2,
        )
        if spec not in self.not_converged:
            self.not_converged.append(spec)

    def _tell(self) -> None:
        if self.progress is not None:
            self.progress(self.done, self.total)
