"""An oracle that shares nothing with the package: full float64 similarities, sorted in full."""

from collections.abc import Callable

import numpy as np
import pytest

Scores = dict[str, np.ndarray]


def _order(similarity, positive, ties):
    falling = np.argsort(-similarity, kind="stable")
    steps = np.diff(-similarity[falling], prepend=-similarity[falling[0]]) > 4e-15
    step = np.empty(len(similarity), int)
    step[falling] = np.cumsum(steps)
    index = np.arange(len(similarity))
    second = {"pessimistic": positive, "optimistic": ~positive, "index": index}[ties]
    return np.lexsort((index, second, step))


def _scores(relevant, ks):
    total = relevant.sum()
    ranks = np.flatnonzero(relevant) + 1
    precision = np.arange(1, total + 1) / ranks
    scores = {f"recall@{k}": relevant[:k].any() for k in ks}
    return scores | {
        "precision@1": relevant[0],
        "map@r": precision[ranks <= total].sum() / total,
        "r_precision": relevant[:total].sum() / total,
        "map": precision.mean(),
        "mrr": 1 / ranks[0],
    }


@pytest.fixture
def brute_force() -> Callable[..., Scores]:
    def evaluate(
        x, labels, gallery=None, ks=(1, 2, 4, 8), ties="pessimistic", groups=None
    ) -> Scores:
        """Of `groups`, those of queries and gallery, a query's own is left out."""
        y, gallery_labels = (x, labels) if gallery is None else gallery
        labels, gallery_labels = np.asarray(labels), np.asarray(gallery_labels)
        x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
        x = x / np.linalg.norm(x, axis=1, keepdims=True)
        y = y / np.linalg.norm(y, axis=1, keepdims=True)
        rows = []
        for i, similarity in enumerate(x @ y.T):
            others = np.arange(len(y)) != i if gallery is None else np.ones(len(y), bool)
            if groups is not None:
                others &= groups[1] != groups[0][i]
            positive = gallery_labels[others] == labels[i]
            if positive.any():
                order = _order(similarity[others], positive, ties)
                rows.append(_scores(positive[order], ks))
        return {name: np.array([100.0 * row[name] for row in rows]) for name in rows[0]}

    return evaluate


@pytest.fixture
def clustered() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """Images around class means, so that a part of them is found at once."""

    def make(images=400, classes=40, width=24, noise=1.5, seed=0):
        rng = np.random.default_rng(seed)
        labels = rng.integers(0, classes, images)
        means = rng.standard_normal((classes, width))
        return (means[labels] + noise * rng.standard_normal((images, width))).astype(
            np.float32
        ), labels

    return make


@pytest.fixture
def brute_force_of_similarity() -> Callable[..., Scores]:
    """The scores of given similarities [Q, G], each query's own image left out by its index."""

    def evaluate(
        similarity,
        labels,
        gallery_labels,
        leave_one_out,
        ks=(1, 4),
        ties="pessimistic",
        groups=None,
    ) -> Scores:
        rows = []
        for i, row in enumerate(similarity):
            others = np.arange(len(row)) != i if leave_one_out else np.ones(len(row), bool)
            if groups is not None:
                others &= groups != groups[i]
            positive = gallery_labels[others] == labels[i]
            if positive.any():
                rows.append(_scores(positive[_order(row[others], positive, ties)], ks))
        return {name: np.array([100.0 * row[name] for row in rows]) for name in rows[0]}

    return evaluate
