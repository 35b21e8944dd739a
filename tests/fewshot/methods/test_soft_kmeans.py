import numpy as np
import pytest


@pytest.mark.parametrize("shots", [1, 5])
@pytest.mark.parametrize(
    ("method", "transform", "iterations"),
    [("soft-kmeans", "cl2", 30), ("soft-kmeans,norm=l2n,iterations=3", "l2", 3)],
)
def test_each_task_scores_what_a_plain_loop_finds(
    non_negative, assert_loop_agrees, plain, method, transform, iterations, shots
):
    def predict(support, labels, query):
        points, known = np.concatenate([support, query]), np.eye(labels.max() + 1)[labels]
        means = plain.means(support, labels)
        for _ in range(iterations):
            assigned = plain.softmax(-5 * plain.squared_distances(query, means))
            weights = np.concatenate([known, assigned])
            means = weights.T @ points / weights.sum(0)[:, None]
        return plain.squared_distances(query, means).argmin(1)

    novel, base = non_negative.novel, non_negative.base
    assert_loop_agrees(
        novel, base, method, predict, transform, shots=shots, tasks=12, tolerance=0.15
    )
