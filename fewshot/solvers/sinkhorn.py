"""Optimal transport from queries to classes, for many tasks at once."""

import torch
from torch import Tensor

TOLERANCE = 1e-6
MAX_STEPS = 1000


def balance(logits: Tensor, start: Tensor) -> Tensor:
    """Finds the class potentials u that give every class the same share of the queries.

    Marco Cuturi. Sinkhorn Distances: Lightspeed Computation of Optimal Transport. NeurIPS 2013.
    arXiv:1306.0895

    The plan softmax(logits + u) over the classes is balanced where u maximises the concave dual

        Q/K · Σ u - Σ over queries of logsumexp(logits + u)

    A Newton step, limited to a radius that follows its success, replaces Sinkhorn's step whenever
    it reaches a higher value: Sinkhorn alone needs hundreds of steps if classes are well
    separated. Everything is in the log domain, so no class can give 0 / 0. A task stops when all
    classes have the same mass to within one millionth.

    Args:
        logits: [T, K, Q], float64.
        start: Initial potentials, such as zeros, [T, K, 1].

    Returns:
        The potentials, [T, K, 1].
    """
    potentials, ways = start, logits.shape[1]
    target = logits.shape[2] / ways
    radius = torch.ones_like(start[:, :1])
    for _ in range(MAX_STEPS):
        plan = (logits + potentials).softmax(1)
        mass = plan.sum(2, keepdim=True)
        active = (mass / target - 1).abs().amax(1, keepdim=True) > TOLERANCE
        if not active.any():
            break
        sinkhorn = (target / mass.clamp_min(torch.finfo(mass.dtype).tiny)).log()
        newton = _newton_step(plan, mass, target, radius)
        sinkhorn_value, newton_value = (
            _dual(logits, potentials + step, target) for step in (sinkhorn, newton)
        )
        better = newton_value > sinkhorn_value
        radius = torch.where(better, 2 * radius, radius / 4).clamp(1e-3, 1e3)
        step = torch.where(better, newton, sinkhorn)
        potentials = torch.where(active, potentials + step, potentials)
    return potentials


def _dual(logits: Tensor, potentials: Tensor, target: float) -> Tensor:
    """The dual objective, [T, 1, 1]."""
    normaliser = (logits + potentials).logsumexp(1, keepdim=True).sum(2, keepdim=True)
    return target * potentials.sum(1, keepdim=True) - normaliser


def _newton_step(plan: Tensor, mass: Tensor, target: float, radius: Tensor) -> Tensor:
    """The Newton step, scaled so that no entry exceeds the radius, [T, K, 1]."""
    curvature = torch.diag_embed(mass.squeeze(2)) - plan @ plan.mT
    # The same constant added to all potentials changes nothing: the ones make the curvature of
    # that direction 1.
    ones = torch.full_like(curvature, 1 / plan.shape[1])
    jitter = 1e-12 * target * torch.eye(plan.shape[1], dtype=mass.dtype, device=mass.device)
    step: Tensor = torch.linalg.solve(curvature + ones + jitter, target - mass)
    longest = step.abs().amax(1, keepdim=True)
    return step.mul(radius / longest.clamp_min(radius))
