"""Optimal transport from queries to classes, for many tasks at once."""

import torch
from torch import Tensor

TOLERANCE = 1e-6
MOST_STEPS = 1000


def balance(logits: Tensor, start: Tensor) -> Tensor:
    """Finds what to add to each class's logits so that all classes get as many queries.

    Marco Cuturi. Sinkhorn Distances: Lightspeed Computation of Optimal Transport. NeurIPS 2013.
    arXiv:1306.0895

    The problem is the concave dual of the transport in the classes' addends. Where a Newton step,
    cut to a radius that follows its success, rises higher than Sinkhorn's step, it is taken:
    Sinkhorn alone needs hundreds of steps where classes are well apart. All is in the log domain,
    so no class gets 0 / 0. A task rests when its classes' shares are equal within a millionth.

    Args:
        logits: [T, K, Q], float64.
        start: Where the search begins, [T, K, 1]; zeros will do.

    Returns:
        The addends, [T, K, 1]. softmax(logits + addends) over classes is the transport plan.
    """
    addend, ways = start, logits.shape[1]
    wanted = logits.shape[2] / ways
    radius = torch.ones_like(start[:, :1])
    for _ in range(MOST_STEPS):
        shares = (logits + addend).softmax(1)
        mass = shares.sum(2, keepdim=True)
        moving = (mass / wanted - 1).abs().amax(1, keepdim=True) > TOLERANCE
        if not moving.any():
            break
        sinkhorn = (wanted / mass.clamp_min(torch.finfo(mass.dtype).tiny)).log()
        newton = _newton(shares, mass, wanted, radius)
        safe, bold = (_dual(logits, addend + step, wanted) for step in (sinkhorn, newton))
        better = bold > safe
        radius = torch.where(better, 2 * radius, radius / 4).clamp(1e-3, 1e3)
        addend = torch.where(moving, addend + torch.where(better, newton, sinkhorn), addend)
    return addend


def _dual(logits: Tensor, addend: Tensor, wanted: float) -> Tensor:
    """The objective to be raised, [T, 1, 1]."""
    given = (logits + addend).logsumexp(1, keepdim=True).sum(2, keepdim=True)
    return wanted * addend.sum(1, keepdim=True) - given


def _newton(shares: Tensor, mass: Tensor, wanted: float, radius: Tensor) -> Tensor:
    """The Newton step, no entry of it beyond the radius, [T, K, 1]."""
    curvature = torch.diag_embed(mass.squeeze(2)) - shares @ shares.mT
    # A constant added to all classes changes nothing: the ones make that direction's curvature 1.
    ones = torch.full_like(curvature, 1 / shares.shape[1])
    tiny = 1e-12 * wanted * torch.eye(shares.shape[1], dtype=mass.dtype, device=mass.device)
    step: Tensor = torch.linalg.solve(curvature + ones + tiny, wanted - mass)
    longest = step.abs().amax(1, keepdim=True)
    return step.mul(radius / longest.clamp_min(radius))
