"""Approximate inverse Hessians of multinomial logistic regression, for many tasks at once."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from lowlabel.fewshot.solvers.cholesky import cholesky


class Inverse(Protocol):
    """An inverse of symmetric matrices [T, D, D], applied to rows."""

    def __call__(self, rows: Tensor) -> Tensor:
        """Products of rows with the inverse, [T, n, D] → [T, n, D]."""
        ...

    def of_tasks(self, rows: Tensor) -> "Inverse":
        """Those of some of the tasks."""
        ...


@dataclass(frozen=True)
class Preconditioner:
    """An approximate inverse Hessian, the same for every class.

    Attributes:
        weight: Block of the weights.
        bias: Entry of the intercept, [T].
    """

    weight: Inverse
    bias: Tensor

    def of_tasks(self, rows: Tensor) -> "Preconditioner":
        """Those of some of the tasks."""
        return Preconditioner(self.weight.of_tasks(rows), self.bias[rows])

    def __call__(self, gradient: Tensor) -> Tensor:
        """The approximate Newton step for a gradient [T, ways, D + 1]."""
        bias = self.bias[:, None, None] * gradient[..., -1:]
        return torch.cat([self.weight(gradient[..., :-1]), bias], -1)


@dataclass(frozen=True)
class DenseInverse:
    """The inverse as a matrix of each task, [T, D, D]."""

    matrix: Tensor

    @classmethod
    def of(cls, matrices: Tensor) -> "DenseInverse":
        """Inverts positive definite matrices, [T, D, D]."""
        return cls(torch.cholesky_inverse(cholesky(matrices)))

    def of_tasks(self, rows: Tensor) -> "DenseInverse":
        """Those of some of the tasks."""
        return DenseInverse(self.matrix[rows])

    def __call__(self, rows: Tensor) -> Tensor:
        """Products of rows with the inverse, [T, n, D] → [T, n, D]."""
        return rows @ self.matrix


@dataclass(frozen=True)
class DiagonalInverse:
    """The inverse of diag(d) + Vᵀ·V, by Woodbury's identity.

    It is diag(1/d) - Kᵀ·K with K = L⁻¹·V·diag(1/d) and L·Lᵀ = 1 + V·diag(1/d)·Vᵀ.

    Attributes:
        reciprocals: 1/d, [T, D].
        correction: K, [T, P, D].
    """

    reciprocals: Tensor
    correction: Tensor

    @classmethod
    def of(cls, diagonal: Tensor, vectors: Tensor) -> "DiagonalInverse":
        """Inverts, with d > 0 of [T, D] and the rows of V, [T, P, D]."""
        scaled = vectors / diagonal[:, None]
        gram = scaled @ vectors.transpose(1, 2)
        factor = cholesky(gram + torch.eye(gram.shape[1], dtype=gram.dtype, device=gram.device))
        correction = torch.linalg.solve_triangular(factor, scaled, upper=False)
        return cls(1 / diagonal, correction)

    def of_tasks(self, rows: Tensor) -> "DiagonalInverse":
        """Those of some of the tasks."""
        return DiagonalInverse(self.reciprocals[rows], self.correction[rows])

    def __call__(self, rows: Tensor) -> Tensor:
        """Products of rows with the inverse, [T, n, D] → [T, n, D]."""
        removed = rows @ self.correction.transpose(1, 2) @ self.correction
        return rows * self.reciprocals[:, None] - removed
