"""Embeddings, and plain float64 versions of what the package computes in batches."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace

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


@pytest.fixture(scope="session")
def plain() -> SimpleNamespace:
    """Building blocks of the plain versions; test modules cannot import each other."""
    return SimpleNamespace(
        unit=unit,
        softmax=softmax,
        means=means,
        squared_distances=squared_distances,
        rectified=rectified,
        rectified_in_the_paper=rectified_in_the_paper,
        sinkhorn=sinkhorn,
    )


def unit(x):
    norms = np.linalg.norm(x, axis=-1, keepdims=True)
    return x / np.where(norms == 0, 1, norms)


def softmax(x):
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def means(support, labels):
    return np.stack([support[labels == way].mean(0) for way in range(labels.max() + 1)])


def squared_distances(a, b):
    return np.array([[((x - y) ** 2).sum() for y in b] for x in a])


def rectified(support, labels, query, scale):
    """The prototypes of LaplacianShot's published code."""
    prototypes = means(support, labels)
    images = np.concatenate([support, query + support.mean(0) - query.mean(0)])
    cosines = unit(images) @ unit(prototypes).T
    owners, weights = cosines.argmax(1), softmax(scale * cosines)
    return np.stack(
        [
            (weights[owners == way, way, None] * images[owners == way]).mean(0)
            for way in range(len(prototypes))
        ]
    )


def rectified_in_the_paper(support, labels, query, scale):
    """BD-CSPN's prototypes."""
    prototypes = means(support, labels)
    moved = query + support.mean(0) - query.mean(0)
    assigned = (unit(moved) @ unit(prototypes).T).argmax(1)
    points, owners = np.concatenate([support, moved]), np.concatenate([labels, assigned])
    weights = np.exp(scale * (unit(points) @ unit(prototypes).T))
    return np.stack(
        [
            np.average(points[owners == way], axis=0, weights=weights[owners == way, way])
            for way in range(len(prototypes))
        ]
    )


def sinkhorn(costs, scale):
    """Balanced transport plan of one task, [Q, K]."""
    plan = np.exp(-scale * costs)
    for _ in range(5000):
        plan /= plan.sum(1, keepdims=True)
        excess = plan.sum(0) * plan.shape[1] / len(plan)
        plan /= excess
        if np.abs(excess - 1).max() < 1e-8:
            break
    return plan / plan.sum(1, keepdims=True)
