"""Linear SVMs with squared hinge loss, fitted to many small problems at once."""

import torch
from torch import Tensor

MAX_STEPS = 100
MAX_HALVINGS = 30


def fit_squared_hinge(gram: Tensor, signs: Tensor, c: float) -> Tensor:
    """Minimises ½βᵀKβ + c·Σ max(0, 1 - y·Kβ)² for each problem.

    S. Sathiya Keerthi, Dennis DeCoste. A Modified Finite Newton Method for Fast Solution of Large
    Scale Linear SVMs. JMLR 6, 2005.

    A Newton step solves the least squares of the examples inside the margin; all other β are 0.
    Once the set of these examples stays the same, the step is the exact minimum.

    Args:
        gram: Inner products K of each task's examples, float64 [T, n, n].
        signs: Sign y of each example in each of a task's problems, +1 or -1, [problems, n].
        c: Inverse strength of the penalty.

    Returns:
        β, [T, problems, n]: the weights are Σ β·x.
    """
    signs = signs.expand(len(gram), -1, -1)
    dual, values = torch.zeros_like(signs), torch.zeros_like(signs)
    inside = torch.ones_like(signs, dtype=torch.bool)
    for _ in range(MAX_STEPS):
        step = _least_squares(gram, signs, inside, c) - dual
        value_step = step @ gram
        length = _line_search(dual, values, step, value_step, signs, c)
        dual, values = dual + length * step, values + length * value_step
        before, inside = inside, signs * values < 1
        if (inside == before).all():
            break
    return dual


def _least_squares(gram: Tensor, signs: Tensor, inside: Tensor, c: float) -> Tensor:
    """The minimum if exactly the examples of `inside` are inside the margin."""
    mask = inside.to(gram.dtype)
    system = gram[:, None] * mask[..., None] * mask[..., None, :]
    system.diagonal(dim1=-2, dim2=-1).add_(1 / (2 * c))
    factor = torch.linalg.cholesky(system)
    solved: Tensor = torch.cholesky_solve((signs * mask)[..., None], factor).squeeze(-1)
    return solved


def _line_search(
    dual: Tensor, values: Tensor, step: Tensor, value_step: Tensor, signs: Tensor, c: float
) -> Tensor:
    """The first of 1, ½, ¼, … that does not raise the objective, [T, problems, 1]."""

    def objective(length: Tensor | float) -> Tensor:
        new_dual, new_values = dual + length * step, values + length * value_step
        hinge = (1 - signs * new_values).clamp_min(0)
        return (new_dual * new_values / 2 + c * hinge**2).sum(-1, keepdim=True)

    start = objective(0.0)
    rounding = 1e-14 * (1 + start.abs())
    length = torch.ones_like(start)
    for _ in range(MAX_HALVINGS):
        enough = objective(length) <= start + rounding
        if enough.all():
            break
        length = torch.where(enough, length, length / 2)
    return length
