"""The C that is best on validation images."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic

import torch
from torch import Tensor

from lowlabel.classification.labelling.base import Labelling
from lowlabel.classification.logistic.problem import F, Problem
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
class Fits(Generic[F]):
    """Fits of one evaluation: their progress, and which of them did not converge.

    Attributes:
        problem: What is fitted.
        max_iter: Largest number of Newton steps of a fit.
        norm: Normalisation of the features, for specs.
        total: Number of fits.
        progress: Called with (fits done, fits) after each Newton step.
        done: Number of fits done.
        not_converged: Specs of fits that did not converge.
        tried: Score of each C on the images to choose on in percent, by spec.
    """

    problem: Problem[F]
    max_iter: int
    norm: str
    total: int
    progress: Progress | None
    done: int = 0
    not_converged: list[str] = field(default_factory=list)
    tried: dict[str, float] = field(default_factory=dict)

    def best(
        self,
        x: Rows,
        labelling: "Labelling[F, object]",
        cs: Sequence[float],
        validation: Rows | None,
        seed: int,
    ) -> F:
        """The fit of the C with the highest score, the smallest C of equal ones.

        Args:
            x: Features to learn from, [N, D].
            labelling: Their targets, and those of the validation images.
            cs: The candidates, in ascending order; one needs no choice.
            validation: Features to choose on; None to hold some of `x` out, and fit again to all.
            seed: Random seed of what is held out.
        """
        targets = labelling.train
        if len(cs) == 1:
            (only,) = self._fit(x, targets, cs)
            return only
        if validation is not None:
            assert labelling.validation is not None
            return self._choose(x, targets, cs, (validation, labelling.validation))
        rows = labelling.held_out("C", "a single value of C: c=1.0", seed)
        held = torch.from_numpy(rows).to(x.device)
        kept, out = (~held).nonzero().flatten(), held.nonzero().flatten()
        found = self._choose(x.chosen(kept), targets[kept], cs, (x.chosen(out), targets[out]))
        (again,) = self._fit(x, targets, (found.c,), start=found)
        return again

    def record(self, c: float) -> dict[str, object]:
        """What a result says of the choice of C."""
        chosen: dict[str, object] = {}
        if self.tried:
            chosen = {"method": method_spec(self.norm, c), "tried": self.tried}
        if self.not_converged:
            chosen["not_converged"] = self.not_converged
        return chosen

    def _fit(
        self, x: Rows, targets: Tensor, cs: Sequence[float], start: F | None = None
    ) -> Iterator[F]:
        """Yields the fit of each C, in ascending order, and warns where one does not converge."""
        for fitted in self.problem.fits(x, targets, cs, start, self.max_iter, self._tell):
            self.done += 1
            self._tell()
            if not fitted.converged:
                self._note(fitted)
            yield fitted

    def _choose(
        self, x: Rows, targets: Tensor, cs: Sequence[float], images: tuple[Rows, Tensor]
    ) -> F:
        best, highest = None, float("-inf")
        for fitted in self._fit(x, targets, cs):
            score = 100 * self.problem.quality(fitted, *images)
            self.tried[method_spec(self.norm, fitted.c)] = score
            if best is None or score > highest:
                best, highest = fitted, score
        assert best is not None
        return best

    def _note(self, fitted: F) -> None:
        spec = method_spec(self.norm, fitted.c)
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
