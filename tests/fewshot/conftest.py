from collections.abc import Callable, Iterator

import numpy as np
import pytest

from lowlabel.fewshot.episodes import EpisodeSampler

Predict = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def clusters(classes: int, seed: int, smallest: int = 25) -> tuple[np.ndarray, np.ndarray]:
    """Overlapping clusters of unequal size away from the origin, with gaps in their numbering."""
    random = np.random.default_rng(seed)
    labels = np.concatenate(
        [np.full(smallest + 3 * number, 7 * number - 10) for number in range(classes)]
    )
    random.shuffle(labels)
    centers = random.normal(size=(classes, 24)) * 0.6
    noise = random.normal(size=(len(labels), 24))
    features = centers[(labels + 10) // 7] + noise + random.normal(size=24)
    return features.astype(np.float32), labels


@pytest.fixture(scope="session")
def novel() -> tuple[np.ndarray, np.ndarray]:
    return clusters(8, seed=1)


@pytest.fixture(scope="session")
def base() -> tuple[np.ndarray, np.ndarray]:
    return clusters(12, seed=2)


@pytest.fixture(scope="session")
def oracle():
    """Accuracies by a loop over the tasks, each seen as plain arrays in float64."""

    def accuracies(features, labels, predict: Predict, *, ways=5, shots, queries=15, tasks):
        return np.array(
            [
                100 * (predict(*train, query) == truth).mean()
                for train, query, truth in loop(features, labels, ways, shots, queries, tasks)
            ]
        )

    return accuracies


def loop(features, labels, ways, shots, queries, tasks) -> Iterator[tuple]:
    """Yields ((support, support labels), query, query labels) of each task."""
    features = features.astype(np.float64)
    (episodes,) = EpisodeSampler(labels, ways, shots, queries).blocks(tasks, seed=0, block=tasks)
    for support, query, truth in zip(
        episodes.support, episodes.query, episodes.query_ways, strict=True
    ):
        train = features[support.ravel()], np.arange(ways).repeat(shots)
        yield train, features[query], truth
