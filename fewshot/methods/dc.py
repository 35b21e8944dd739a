"""Distribution Calibration: samples around the support, drawn with the base classes' spread."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from lowlabel.errors import InputError
from lowlabel.fewshot.base_statistics import BaseStatistics
from lowlabel.fewshot.feature_norms import tukey, unit_rows
from lowlabel.fewshot.gaussians import BaseGaussians
from lowlabel.fewshot.methods.base import Method
from lowlabel.fewshot.methods.calibration import Calibration
from lowlabel.specs import Option


@dataclass(frozen=True)
class SslVitCalibration(Method):
    """Distribution Calibration on features of length 1, as SSL-ViT used it, without Tukey's power.

    Da Chen, Yuefeng Chen, Yuhong Li, Feng Mao, Yuan He, Hui Xue. Self-Supervised Learning for
    Few-Shot Image Classification with Vision Transformers. 2022. arXiv:2201.08951

    Support, queries and base features are scaled to length 1; the rest is `dc`.

    Attributes:
        k: How many base classes lend their statistics.
        alpha: Added to every entry of the covariance.
        samples: Features sampled for a class, shared among its support images.
        c: Inverse strength of the logistic regression's penalty.
    """

    name: ClassVar[str] = "dc-sslvit"
    grid: ClassVar[Mapping[str, tuple[Option, ...]]] = {"alpha": (0.0, 0.1, 0.21, 0.3, 0.5)}

    k: int = 2
    alpha: float = 0.21
    samples: int = 750
    c: float = 1.0

    def __post_init__(self) -> None:
        self.require_positive("c")
        for option, least in (("k", 1), ("alpha", 0), ("samples", 0)):
            if not least <= getattr(self, option) < float("inf"):
                value = getattr(self, option)
                raise InputError(f"{option}={value} of {self.name} must be at least {least}")

    @property
    def needs_base(self) -> bool:
        """Always."""
        return True

    def transform(self, features: Tensor, base: BaseStatistics | None) -> Tensor:
        """Scales to length 1, [N, D] → [N, D]."""
        return unit_rows(features)

    def gaussians(self, base: BaseStatistics | None) -> BaseGaussians:
        """The base classes' means and covariances that are lent."""
        return self._enough(self.require_base(base).unit.gaussians)

    def rows_per_task(self, ways: int, shots: int, queries: int) -> int:
        """The samples too."""
        return ways * (shots * (1 + self.samples // shots) + queries)

    def scores(self, support: Tensor, query: Tensor, base: BaseStatistics | None) -> Tensor:
        """The logits of the fitted models, for the first tasks of seed 0."""
        return self.seeded_scores(support, query, base, [(0, task) for task in range(len(support))])

    def seeded_scores(
        self,
        support: Tensor,
        query: Tensor,
        base: BaseStatistics | None,
        seeds: Sequence[tuple[int, int]],
    ) -> Tensor:
        """The logits of logistic regressions fitted to the support and the samples."""
        calibration = Calibration.of(support, self.gaussians(base), self.k, self.alpha)
        return calibration.fit(seeds, self.samples // support.shape[2], self.c)(query)

    def _enough(self, gaussians: BaseGaussians) -> BaseGaussians:
        if len(gaussians.means) < self.k:
            raise InputError(
                f"k={self.k} of {self.name} needs {self.k} base classes, but there are "
                f"{len(gaussians.means)}"
            )
        return gaussians


@dataclass(frozen=True)
class DistributionCalibration(SslVitCalibration):
    """Logistic regression on the support and on samples of calibrated Gaussians.

    Shuo Yang, Lu Liu, Min Xu. Free Lunch for Few-Shot Learning: Distribution Calibration. ICLR
    2021. arXiv:2101.06395

    Each support image borrows from its `k` nearest base classes: it is the centre of a Gaussian
    whose mean is that of its feature and their means, and whose covariance is the mean of theirs
    plus `alpha` in every entry. Base statistics are of raw features, while support and queries are
    raised to Tukey's power first, as the authors' code does.

    Attributes:
        power: Tukey's power, for features of at least 0.
    """

    name: ClassVar[str] = "dc"

    power: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_positive("power")

    @property
    def needs_non_negative(self) -> bool:
        """For Tukey's power."""
        return True

    def transform(self, features: Tensor, base: BaseStatistics | None) -> Tensor:
        """Raises to Tukey's power, [N, D] → [N, D]."""
        return tukey(features, self.power)

    def gaussians(self, base: BaseStatistics | None) -> BaseGaussians:
        """The base classes' means and covariances, of raw features."""
        return self._enough(self.require_base(base).gaussians)
