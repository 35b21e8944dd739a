"""Linear SVMs with squared hinge loss, fitted to many small problems at once."""

from dataclasses import dataclass

import torch
from torch import Tensor

from lowlabel.fewshot.solvers.cholesky import NotSolvedError, cholesky

MAX_STEPS = 100
MAX_HALVINGS = 30
_ROUNDING = 64 * torch.finfo(torch.float64).eps


def fit_squared_hinge(x: Tensor, signs: Tensor, c: float) -> Tensor:
    """Minimises ½|w|² + c·Σ max(0, 1 - y·x·w)² for each problem.

    S. Sathiya Keerthi, Dennis DeCoste. A Modified Finite Newton Method for Fast Solution of Large
    Scale Linear SVMs. JMLR 6, 2005.

    A Newton step solves the least squares of the examples inside the margin. Once the set of these
    examples stays the same, the step is the exact minimum. The unknowns are the weights w, or with
    far fewer examples than dimensions the β of w = Σ β·x. With n near D the β are large and cancel.

    Args:
        x: Examples of each task, float64 [T, n, D].
        signs: Sign y of each example in each of a task's problems, +1 or -1, [problems, n].
        c: Inverse strength of the penalty.

    Returns:
        w, [T, problems, D].

    Raises:
        NotSolvedError: If rounding hides the minimum.
    """
    signs = signs.expand(len(x), -1, -1)
    problem = _Primal(x, c) if x.shape[2] < 2 * x.shape[1] else _Dual.of(x, c)
    unknowns, values = problem.start(signs), torch.zeros_like(signs)
    inside = torch.ones_like(signs, dtype=torch.bool)
    for _ in range(MAX_STEPS):
        step = problem.least_squares(signs, inside) - unknowns
        value_step = problem.values(step)
        length = _line_search(problem, unknowns, values, step, value_step, signs)
        unknowns, values = unknowns + length * step, values + length * value_step
        before, inside = inside, problem.inside(unknowns, values, signs, inside & (length == 1))
        if (inside == before).all():
            break
    else:
        raise NotSolvedError(f"no minimum is found in {MAX_STEPS} steps")
    # At the minimum some examples are inside the margin, by a distance that falls as they grow.
    weights = problem.weights(unknowns)
    hinge, terms = 1 - signs * values, (weights.abs() @ x.abs().transpose(1, 2)).amax(-1)
    if (hinge.amax(-1) < _ROUNDING * (1 + terms)).any():
        raise NotSolvedError("rounding hides the penalty beside the hinge loss")
    return weights


@dataclass(frozen=True)
class _Dual:
    """Unknowns β [T, problems, n], 0 for the examples outside the margin; K = x·xᵀ."""

    x: Tensor
    gram: Tensor
    c: float

    @classmethod
    def of(cls, x: Tensor, c: float) -> "_Dual":
        return cls(x, x @ x.transpose(1, 2), c)

    def start(self, signs: Tensor) -> Tensor:
        return torch.zeros_like(signs)

    def values(self, unknowns: Tensor) -> Tensor:
        return unknowns @ self.gram

    def inside(self, unknowns: Tensor, values: Tensor, signs: Tensor, solved: Tensor) -> Tensor:
        """Which examples are inside the margin.

        The least squares give 1 - y·x·w = y·β / 2c to those that they `solved`: the sign of y·β
        remains where the difference is rounding.
        """
        return torch.where(solved, signs * unknowns > 0, signs * values < 1)

    def square(self, unknowns: Tensor, values: Tensor) -> Tensor:
        """Terms of |w|²."""
        return unknowns * values

    def weights(self, unknowns: Tensor) -> Tensor:
        return unknowns @ self.x

    def least_squares(self, signs: Tensor, inside: Tensor) -> Tensor:
        """The minimum if exactly the examples of `inside` are inside the margin."""
        mask = inside.to(self.gram.dtype)
        system = self.gram[:, None] * mask[..., None] * mask[..., None, :]
        system.diagonal(dim1=-2, dim2=-1).add_(1 / (2 * self.c))
        return _solve(system, signs * mask)


@dataclass(frozen=True)
class _Primal:
    """Unknowns w [T, problems, D]."""

    x: Tensor
    c: float

    def start(self, signs: Tensor) -> Tensor:
        return self.x.new_zeros(*signs.shape[:2], self.x.shape[2])

    def values(self, unknowns: Tensor) -> Tensor:
        return unknowns @ self.x.transpose(1, 2)

    def inside(self, unknowns: Tensor, values: Tensor, signs: Tensor, solved: Tensor) -> Tensor:
        """Which examples are inside the margin."""
        return signs * values < 1

    def square(self, unknowns: Tensor, values: Tensor) -> Tensor:
        """Terms of |w|²."""
        return unknowns * unknowns

    def weights(self, unknowns: Tensor) -> Tensor:
        return unknowns

    def least_squares(self, signs: Tensor, inside: Tensor) -> Tensor:
        """The minimum if exactly the examples of `inside` are inside the margin."""
        mask = inside.to(self.x.dtype)
        masked = self.x[:, None] * mask[..., None]
        system = masked.transpose(2, 3) @ masked
        system.diagonal(dim1=-2, dim2=-1).add_(1 / (2 * self.c))
        return _solve(system, (signs * mask) @ self.x)


def _solve(system: Tensor, right: Tensor) -> Tensor:
    """Solves [T, problems, n, n] for right sides [T, problems, n]."""
    solved: Tensor = torch.cholesky_solve(right[..., None], cholesky(system)).squeeze(-1)
    return solved


def _line_search(
    problem: _Dual | _Primal,
    unknowns: Tensor,
    values: Tensor,
    step: Tensor,
    value_step: Tensor,
    signs: Tensor,
) -> Tensor:
    """The first of 1, ½, ¼, … that does not raise the objective, [T, problems, 1]."""

    def objective(length: Tensor | float) -> Tensor:
        new, new_values = unknowns + length * step, values + length * value_step
        penalty = (problem.square(new, new_values) / 2).sum(-1, keepdim=True)
        hinge = (1 - signs * new_values).clamp_min(0)
        return penalty + problem.c * (hinge**2).sum(-1, keepdim=True)

    start = objective(0.0)
    rounding = 1e-14 * (1 + start.abs())
    length = torch.ones_like(start)
    for _ in range(MAX_HALVINGS):
        enough = objective(length) <= start + rounding
        if enough.all():
            break
        length = torch.where(enough, length, length / 2)
    return length
