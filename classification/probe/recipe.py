"""Recipes of linear probes: learning rates, batches and length of the training."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lowlabel.arrays import as_integers, require_name
from lowlabel.errors import InputError
from lowlabel.specs import require_text

REFERENCE_BATCH = 256
_DINOV2_RATES = (1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1)


class Step(NamedTuple):
    """One step of training.

    Attributes:
        rows: Train images of the batch, int64 [B].
        epoch: Passes over the train images before this one.
        share: Factor of the learning rate.
    """

    rows: NDArray[np.int64]
    epoch: int
    share: float


@dataclass(frozen=True)
class LinearRecipe:
    """SGD with momentum 0.9 and without weight decay; the rate falls to 0 along half a cosine.

    Attributes:
        learning_rates: Rates for a batch of 256 images, scaled by `batch_size` / 256. With several,
            a head is trained for each.
        batch_size: Number of images in a batch. Where there are fewer images, an epoch is one batch
            of all; the rate is scaled as for a full batch.
        epochs: Number of passes over the train images; the rate changes after each.
        iterations: Number of batches, instead of `epochs`. Batches run across the ends of passes,
            so that all are full, and the rate changes after each.
    """

    learning_rates: tuple[float, ...] = (0.001,)
    batch_size: int = 1024
    epochs: int = 100
    iterations: int | None = None

    def __post_init__(self) -> None:
        as_integers(1, batch_size=self.batch_size, epochs=self.epochs)
        if self.iterations is not None:
            as_integers(1, iterations=self.iterations)
        rates: Any = self.learning_rates
        known = isinstance(rates, Sequence) and bool(rates)
        if not known or not all(isinstance(r, Real) and 0 < float(r) < math.inf for r in rates):
            raise InputError(f"learning_rates={rates} must be one or more finite numbers above 0")
        if len(set(rates)) < len(rates):
            raise InputError(f"learning_rates={rates} holds a number more than once")

    @property
    def scale(self) -> float:
        """Factor from a rate for 256 images to the rate of the first step."""
        return self.batch_size / REFERENCE_BATCH

    def count(self, images: int) -> int:
        """Number of steps on a number of train images."""
        return self.iterations or self.epochs * math.ceil(images / self.batch_size)

    def steps(self, images: int, seed: int) -> Iterator[Step]:
        """Yields the batches, drawn without replacement in each pass over the images."""
        if self.iterations is not None:
            yield from self._stream(images, seed, self.iterations)
            return
        for epoch in range(self.epochs):
            order = _permutation(images, seed, epoch)
            for start in range(0, images, self.batch_size):
                rows = order[start : start + self.batch_size]
                yield Step(rows, epoch, _cosine(epoch / self.epochs))

    def _stream(self, images: int, seed: int, iterations: int) -> Iterator[Step]:
        waiting, epoch = np.empty(0, np.int64), 0
        for iteration in range(iterations):
            first = epoch
            parts = [waiting]
            while sum(map(len, parts)) < self.batch_size:
                parts.append(_permutation(images, seed, epoch))
                epoch += 1
            rows = np.concatenate(parts)
            yield Step(rows[: self.batch_size], first, _cosine(iteration / iterations))
            waiting = rows[self.batch_size :]


# DINO: eval_linear.py on 8 × 128 images; its ResNet-50 log has a rate of 0.3 at the first step.
# SCFS: its README, 8 × 256 images. DINOv2: dinov2/eval/linear.py, 10 × 1,250 batches of 8 × 128.
RECIPES = {
    "dino": LinearRecipe(),
    "dino-resnet50": LinearRecipe((0.075,)),
    "scfs": LinearRecipe((0.01,), batch_size=2048),
    "dinov2": LinearRecipe(_DINOV2_RATES, iterations=12_500),
}


def known_recipe(recipe: str | LinearRecipe) -> LinearRecipe:
    """Returns the recipe of a name; an unknown name is an `UnknownNameError`."""
    if isinstance(recipe, LinearRecipe):
        return recipe
    require_text("recipe", recipe)
    require_name("recipe", recipe, tuple(RECIPES))
    return RECIPES[recipe]


def _permutation(images: int, seed: int, epoch: int) -> NDArray[np.int64]:
    return np.random.default_rng((seed, epoch)).permutation(images)


def _cosine(done: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * done))
