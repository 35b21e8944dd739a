"""Simulated embeddings: classes are Gaussians with centres and widths of their own."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float32]
Codes = NDArray[np.int64]

DIMENSIONS = 16
_WIDTHS = 0.25  # standard deviation of the logarithm of the classes' widths
_HARDNESS = 0.25  # and of the images' within a class
_BURST = 0.7  # share of an image's noise that its group has in common


@dataclass(frozen=True)
class World:
    """Classes that images are drawn from; every call of `images` draws new ones.

    Attributes:
        centres: [classes, dimensions].
        widths: [classes].
        random: Draws images.
    """

    centres: NDArray[np.float64]
    widths: NDArray[np.float64]
    random: np.random.Generator

    @classmethod
    def of(cls, seed: Sequence[int], classes: int, noise: float) -> "World":
        """Draws classes; `noise` is the median of their widths, in units of their distance."""
        random = np.random.default_rng(seed)
        centres = random.standard_normal((classes, DIMENSIONS))
        return cls(centres, noise * np.exp(_WIDTHS * random.standard_normal(classes)), random)

    def another(self) -> "World":
        """Other centres with the same widths: a second model with the same expected scores."""
        centres = self.random.standard_normal(self.centres.shape)
        return World(centres, self.widths, self.random)

    def images(
        self, labels: Codes, hardness: NDArray[np.float64] | None = None, burst: int = 1
    ) -> Features:
        """Draws an image for each label.

        Args:
            labels: Classes, [n].
            hardness: Factor of each image's noise, as `hardness` draws it; by default drawn.
            burst: Number of consecutive images that share most of their noise.
        """
        factor = self.hardness(len(labels)) if hardness is None else hardness
        noise = self.random.standard_normal((len(labels), DIMENSIONS))
        if burst > 1:
            shared = self.random.standard_normal((-(-len(labels) // burst), DIMENSIONS))
            common = np.sqrt(_BURST) * shared.repeat(burst, 0)[: len(labels)]
            noise = common + np.sqrt(1 - _BURST) * noise
        scale = self.widths[labels] * factor
        return (self.centres[labels] + scale[:, None] * noise).astype(np.float32)

    def hardness(self, images: int) -> NDArray[np.float64]:
        """Draws factors of images' noise, which two models may share."""
        return np.exp(_HARDNESS * self.random.standard_normal(images))


def equal(classes: int, images: int) -> Codes:
    """Labels of classes of one size."""
    return np.arange(classes).repeat(images)


def unequal(classes: int, images: int) -> Codes:
    """Labels of classes from ⅔ to 1½ of a size, with this mean up to rounding."""
    sizes = np.exp(np.linspace(-np.log(1.5), np.log(1.5), classes))
    sizes = np.rint(sizes * images / sizes.mean()).astype(np.int64)
    return np.arange(classes).repeat(sizes)
