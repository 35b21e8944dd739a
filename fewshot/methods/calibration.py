"""Calibrated Gaussians of many tasks: sampling, and a classifier fitted to the samples."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from lowlabel.fewshot.gaussians import BaseGaussians
from lowlabel.fewshot.methods.normals import standard_normals
from lowlabel.fewshot.solvers.lbfgs import Tolerance, minimize
from lowlabel.fewshot.solvers.logistic import LinearClassifiers, penalty_ratio
from lowlabel.fewshot.solvers.softmax_loss import Moments, SoftmaxLoss

# Half of scikit-learn's default, which is a gradient of 1e-4·c·n.
TOLERANCE = Tolerance(decrement=1e-5, gradient=5e-5)


@dataclass(frozen=True)
class Calibration:
    """A Gaussian around each support image of T tasks, from the statistics of base classes.

    All vectors are relative to the task's centre, so the samples need no centring.

    Attributes:
        base: Statistics of the base classes.
        alpha: Number added to every entry of the covariances.
        support: Features of the labelled images, [T, ways, shots, D].
        nearest: Nearest base classes of each labelled image, ascending, [T, ways, shots, k].
        means: Means of the Gaussians, [T, ways, shots, D].
        centre: Mean of a task's Gaussians, [T, D].
    """

    base: BaseGaussians
    alpha: float
    support: Tensor
    nearest: Tensor
    means: Tensor
    centre: Tensor

    @classmethod
    def of(cls, support: Tensor, base: BaseGaussians, k: int, alpha: float) -> "Calibration":
        """Calibrates with the `k` nearest base classes of each support feature."""
        nearest = base.nearest(support.flatten(0, 2), k).unflatten(0, support.shape[:3])
        means = (base.means[nearest].sum(3) + support) / (k + 1)
        centre = means.mean((1, 2))
        origin = centre[:, None, None]
        return cls(base, alpha, support - origin, nearest, means - origin, centre)

    def samples(self, seeds: Sequence[tuple[int, ...]], samples_per_image: int) -> Tensor:
        """The support images, each followed by the samples of its Gaussian.

        Returns:
            [T, ways, shots, 1 + samples_per_image, D].
        """
        tasks, ways, shots, width = self.support.shape
        rows, numbers = 1 + samples_per_image, self.base.numbers_per_sample(self.nearest.shape[3])
        z = standard_normals(seeds, ways * shots * rows * numbers, self.support.device)
        means, nearest = self.means.reshape(-1, width), self.nearest.flatten(0, 2)
        x = self.base.samples(z.view(-1, rows, numbers), means, nearest, self.alpha)
        x[:, 0] = self.support.reshape(-1, width)
        return x.view(tasks, ways, shots, rows, width)

    def moments(self) -> Moments:
        """Approximate second moments of each class's samples.

        E[x·xᵀ] = mean of the borrowed covariances + alpha·1·1ᵀ + mean over the shots of μ·μᵀ: the
        last two are outer products of the vectors √alpha·1 and μ / √shots. For the first stands
        the mean covariance of all base classes, with the trace of the borrowed ones.
        """
        shots = self.support.shape[2]
        traces = self.base.traces[self.nearest].mean((2, 3))
        alpha_vector = torch.full_like(self.means[:, :, :1], self.alpha**0.5)
        vectors = torch.cat([self.means / shots**0.5, alpha_vector], 2)
        return Moments(*self.base.spectrum, traces, vectors)

    def fit(
        self, seeds: Sequence[tuple[int, int]], samples_per_image: int, c: float
    ) -> LinearClassifiers:
        """Fits logistic regressions to the support images and their samples.

        The objective is scikit-learn's, minimised further than by its default tolerance.
        """
        x = self.samples(seeds, samples_per_image).flatten(2, 3)
        _, ways, per_class, _ = x.shape
        labels = torch.arange(ways, device=x.device).repeat_interleave(per_class)
        return _fitted(x.flatten(1, 2), labels, ways, c, self.centre, self.moments())


def fit_together(
    groups: Sequence[tuple[Tensor, Calibration]],
    seeds: Sequence[tuple[int, int]],
    samples: int,
    c: float,
) -> LinearClassifiers:
    """Fits logistic regressions to classes of unequal size.

    Args:
        groups: Classes with the same number of images, and the Gaussians around them.
        seeds: Seed and index of each task.
        samples: Number of samples per class, divided among its images.
        c: Inverse strength of the penalty.
    """
    centre = groups[0][1].centre
    examples, labels = [], []
    for number, (classes, calibration) in enumerate(groups):
        own_seeds = [(*seed, number) for seed in seeds]
        x = calibration.samples(own_seeds, samples // calibration.support.shape[2]).flatten(2, 3)
        labels.append(classes.repeat_interleave(x.shape[2]))
        examples.append(x.flatten(1, 2) + (calibration.centre - centre)[:, None])
    ways = sum(len(classes) for classes, _ in groups)
    return _fitted(torch.cat(examples, 1), torch.cat(labels), ways, c, centre)


def _fitted(
    x: Tensor, labels: Tensor, ways: int, c: float, centre: Tensor, moments: Moments | None = None
) -> LinearClassifiers:
    """Logistic regressions on examples that are relative to each task's centre [T, D]."""
    targets = one_hot(labels, ways).to(x.dtype).T.expand(len(x), -1, -1)
    params = minimize(SoftmaxLoss(x, targets, penalty_ratio(c, ways), moments), TOLERANCE)
    weight, bias = params[..., :-1], params[..., -1]
    bias = bias - (weight @ centre[..., None]).squeeze(-1)
    return LinearClassifiers(weight.transpose(1, 2), bias)
