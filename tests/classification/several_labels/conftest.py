"""Features whose directions depend on several labels."""

from typing import NamedTuple

import numpy as np
import pytest

LABELS = 5


class Part(NamedTuple):
    features: np.ndarray
    labels: np.ndarray


@pytest.fixture
def drawn():
    """Draws parts of images from the same directions of labels."""
    directions = np.random.default_rng(7).normal(size=(LABELS, 12))

    def draw(images, seed=0):
        random = np.random.default_rng(seed)
        labels = random.random((images, LABELS)) < np.linspace(0.1, 0.5, LABELS)
        features = labels @ directions + 1.5 * random.normal(size=(images, 12)) + 0.3
        return Part(features, labels)

    return draw
