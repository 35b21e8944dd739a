"""Distribution Calibration: logistic regression on samples around the support images."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from lowlabel.errors import InputError
from lowlabel.fewshot.base_statistics import BaseStatistics
from lowlabel.fewshot.feature_norms import tukey
from lowlabel.fewshot.gaussians import BaseGaussians
from lowlabel.fewshot.methods.base import Lengths, Method, Scorer, Seeds
from lowlabel.fewshot.methods.calibration import Calibration, fit_together
from lowlabel.fewshot.support import Support
from lowlabel.lazy_rows import of_rows
from lowlabel.scale import magnitudes, unit
from lowlabel.specs import Option

_MOST_APART = 4.0  # raw features and their power, which are both about 1 in the source


@dataclass(frozen=True)
class SslVitCalibration(Method):
    """Distribution Calibration on features of length 1 without Tukey's power, as SSL-ViT uses it.

    Prarthana Bhattacharyya, Chenge Li, Xiaonan Zhao, István Fehérvári, Jason Sun. Visual
    Representation Learning with Self-Supervised Attention for Low-Label High-Data Regime. ICASSP
    2022. arXiv:2201.08951

    Support, queries and base features are scaled to length 1; the rest is as in `dc`.

    Attributes:
        k: Number of nearest base classes that a support image borrows statistics from.
        alpha: Number added to every entry of the covariance.
        samples: Number of samples per class, divided among its support images.
        c: Inverse strength of the logistic regression's penalty.
    """

    name: ClassVar[str] = "dc-sslvit"
    version: ClassVar[int] = 2
    blocks_are_independent: ClassVar[bool] = False  # they share a cache of factors
    iterated: ClassVar[bool] = True
    task_ms: ClassVar[tuple[float, float]] = (20.0, 80.0)
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
        """Always true."""
        return True

    @property
    def lengths(self) -> Lengths:
        """All features are scaled to length 1."""
        return "ignored"

    def transform(self, features: Tensor, base: BaseStatistics | None) -> Tensor:
        """Scales to length 1, [N, D] → [N, D]."""
        return unit(features)

    def gaussians(self, base: BaseStatistics | None) -> BaseGaussians:
        """Means and covariances of the base classes, of features of length 1."""
        return self._checked(self.require_base(base).unit.gaussians)

    def rows_per_task(self, ways: int, shots: int, queries: int) -> int:
        """Queries, support images and their samples."""
        return ways * (shots * (1 + self.samples // shots) + queries)

    def working_bytes(self, ways: int, images: int, queries: int, width: int) -> int:
        """Samples, and their logits several times."""
        return 4 * (images + ways * self.samples) * (4 * width + 12 * ways)

    def fit(self, support: Support, base: BaseStatistics | None, seeds: Seeds) -> Scorer:
        """Logits of logistic regressions fitted to the support images and their samples."""
        gaussians = self.gaussians(base)
        groups = [
            (classes, Calibration.of(images, gaussians, self.k, self.alpha))
            for classes, images in support.by_size()
        ]
        if support.is_equal:
            return groups[0][1].fit(seeds, self.samples // support.sizes[0], self.c)
        return fit_together(groups, seeds, self.samples, self.c)

    def _checked(self, gaussians: BaseGaussians) -> BaseGaussians:
        if len(gaussians.means) < self.k:
            raise InputError(
                f"k={self.k} of {self.name} needs {self.k} base classes, but there are "
                f"{len(gaussians.means)}",
                f"Use k={len(gaussians.means)} or less.",
            )
        if gaussians.drowns_in(self.alpha):
            raise InputError(
                f"alpha={self.alpha} of {self.name} is far larger than the variance of the base "
                f"features, {gaussians.variance:.3g}, which is lost beside it",
                "Use a smaller alpha, or dc-sslvit, which scales features to length 1.",
            )
        return gaussians


@dataclass(frozen=True)
class DistributionCalibration(SslVitCalibration):
    """Logistic regression on the support images and samples from calibrated Gaussians.

    Shuo Yang, Lu Liu, Min Xu. Free Lunch for Few-Shot Learning: Distribution Calibration. ICLR
    2021. arXiv:2101.06395

    A support feature x with the means μ₁ … μₖ and the covariances C₁ … Cₖ of its `k` nearest base
    classes gets samples from a Gaussian with

        mean = (x + μ₁ + … + μₖ) / (k + 1)
        covariance = (C₁ + … + Cₖ) / k + alpha in every entry

    Base statistics are of raw features, while support and queries are raised to Tukey's power
    first, as in the authors' code.

    Attributes:
        power: Tukey's power, for features of at least 0.
    """

    name: ClassVar[str] = "dc"
    signed_alternative: ClassVar[str] = "dc-sslvit"

    power: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_positive("power")

    @property
    def needs_non_negative(self) -> bool:
        """True: Tukey's power is undefined for negative features."""
        return True

    @property
    def lengths(self) -> Lengths:
        """`alpha` and `c` have the scale of raw features."""
        return "absolute"

    def transform(self, features: Tensor, base: BaseStatistics | None) -> Tensor:
        """Applies Tukey's power, [N, D] → [N, D]."""
        return tukey(features, self.power)

    def require_comparable(
        self, lengths: Tensor, transformed: Tensor, base: BaseStatistics | None
    ) -> None:
        """Raw base features and transformed features are of about one length."""
        raw = of_rows(self.require_base(base).features, magnitudes).median().item()
        raised = transformed.median().item()
        if raw > _MOST_APART * raised > 0:
            raise InputError(
                f"{self.spec} borrows from raw base features whose largest entries are "
                f"{raw:.3g} in the median row, and raises the others to a power, which "
                f"makes them {raised:.3g}: they are too far apart to borrow from",
                "Scale all features down to about 1, or use dc-sslvit.",
            )

    def gaussians(self, base: BaseStatistics | None) -> BaseGaussians:
        """Means and covariances of the base classes, of raw features."""
        return self._checked(self.require_base(base).gaussians)
