"""Squared-hinge machines fitted to many small problems at once."""

import torch
from torch import Tensor

MAX_STEPS = 100
MAX_HALVINGS = 30


def fit_squared_hinge(gram: Tensor, sides: Tensor, c: float) -> Tensor:
    """Minimises ½βᵀKβ + c·Σ max(0, 1 - y·Kβ)² for each problem.

    S. Sathiya Keerthi, Dennis DeCoste. A Modified Finite Newton Method for Fast Solution of Large
    Scale Linear SVMs. JMLR 6, 2005.

    A Newton step solves the least squares of the examples inside the margin, whose β alone are not
    0. Once these stay the same, the step has found the minimum, exactly.

    Args:
        gram: Inner products of each task's examples, K, float64 [T, n, n].
        sides: Which side, +1 or -1, each example is on in each of a task's problems, [problems, n].
        c: Inverse strength of the penalty.

    Returns:
        β, [T, problems, n]: the weights are Σ β·x.
    """
    sides = sides.expand(len(gram), -1, -1)
    dual, values = torch.zeros_like(sides), torch.zeros_like(sides)
    inside = torch.ones_like(sides, dtype=torch.bool)
    for _ in range(MAX_STEPS):
        step = _least_squares(gram, sides, inside, c) - dual
        move = step @ gram
        length = _search(dual, values, step, move, sides, c)
        dual, values = dual + length * step, values + length * move
        before, inside = inside, sides * values < 1
        if (inside == before).all():
            break
    return dual


def _least_squares(gram: Tensor, sides: Tensor, inside: Tensor, c: float) -> Tensor:
    """Where the minimum would be if the margin held just the examples that are inside."""
    mask = inside.to(gram.dtype)
    system = gram[:, None] * mask[..., None] * mask[..., None, :]
    system.diagonal(dim1=-2, dim2=-1).add_(1 / (2 * c))
    factor = torch.linalg.cholesky(system)
    solved: Tensor = torch.cholesky_solve((sides * mask)[..., None], factor).squeeze(-1)
    return solved


def _search(
    dual: Tensor, values: Tensor, step: Tensor, move: Tensor, sides: Tensor, c: float
) -> Tensor:
    """The first of 1, ½, ¼, … that does not raise the objective, [T, problems, 1]."""

    def objective(length: Tensor | float) -> Tensor:
        at, reached = dual + length * step, values + length * move
        hinge = (1 - sides * reached).clamp_min(0)
        return (at * reached / 2 + c * hinge**2).sum(-1, keepdim=True)

    start = objective(0.0)
    rounding = 1e-14 * (1 + start.abs())
    length = torch.ones_like(start)
    for _ in range(MAX_HALVINGS):
        enough = objective(length) <= start + rounding
        if enough.all():
            break
        length = torch.where(enough, length, length / 2)
    return length
