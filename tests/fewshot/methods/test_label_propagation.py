import numpy as np
import pytest


@pytest.mark.parametrize("shots", [1, 5])
@pytest.mark.parametrize(
    ("method", "transform", "neighbours"),
    [("label-propagation", "cl2", 20), ("label-propagation,norm=l2n,neighbours=4", "l2", 4)],
)
def test_each_task_scores_what_a_plain_loop_finds(
    non_negative, assert_loop_agrees, plain, method, transform, neighbours, shots
):
    def predict(support, labels, query):
        points = np.concatenate([support, query])
        distances = plain.squared_distances(points, points)
        distances = distances + np.diag(np.full(len(points), np.inf))
        near = np.argsort(np.argsort(distances)) < neighbours
        weights = np.where(near | near.T, np.exp(-distances / (2 * 0.25**2)), 0)
        root = np.sqrt(weights.sum(1))
        system = np.eye(len(points)) - 0.5 * weights / root[:, None] / root
        known = np.eye(labels.max() + 1)[labels]
        labels_of_all = np.concatenate([known, np.zeros((len(query), known.shape[1]))])
        return np.linalg.solve(system, labels_of_all)[len(support) :].argmax(1)

    novel, base = non_negative.novel, non_negative.base
    assert_loop_agrees(
        novel, base, method, predict, transform, shots=shots, tasks=12, tolerance=0.15
    )
