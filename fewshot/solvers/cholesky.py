"""Cholesky factors of many small systems."""

import torch
from torch import Tensor


class NotSolvedError(ArithmeticError):
    """A system or a minimum that cannot be found in this arithmetic."""


def cholesky(systems: Tensor) -> Tensor:
    """Lower triangular factors of symmetric matrices that are positive definite but for rounding.

    A sum of outer products plus a small multiple of the identity is positive definite, but
    rounding may hide that if the products have a lower rank and are large. Such a system gets the
    size of the rounding on its diagonal, which shows only where the outer products give nothing.

    Args:
        systems: [..., n, n].

    Raises:
        NotSolvedError: If a system is not finite, or not of this kind.
    """
    factors: Tensor
    factors, failed = torch.linalg.cholesky_ex(systems)
    if not failed.any():
        return factors
    bad = failed > 0
    width, eps = systems.shape[-1], torch.finfo(systems.dtype).eps
    trace = systems[bad].diagonal(dim1=-2, dim2=-1).sum(-1)
    jitter = (8 * eps * width * trace)[:, None].expand(-1, width)
    factors[bad], failed = torch.linalg.cholesky_ex(systems[bad] + torch.diag_embed(jitter))
    if failed.any():
        raise NotSolvedError("a matrix is not positive definite, or not finite")
    return factors
