import numpy as np
import pytest
import torch

from lowlabel.errors import InputError


@pytest.mark.parametrize("shots", [1, 5])
@pytest.mark.parametrize(
    ("method", "transform", "smoothness"),
    # smoothness · neighbours / ways < 1: beyond it the updates amplify rounding
    [("laplacianshot", "cl2", 0.7), ("laplacianshot,norm=l2n,smoothness=1.2", "l2", 1.2)],
)
def test_each_task_scores_what_the_published_code_finds(
    novel, base, assert_loop_agrees, plain, method, transform, smoothness, shots
):
    def predict(support, labels, query):
        prototypes = plain.rectified(support, labels, query, 10.0)
        shifted = query + support.mean(0) - query.mean(0)
        unary = -plain.squared_distances(shifted, prototypes)
        distances = plain.squared_distances(query, query) + np.diag(np.full(len(query), np.inf))
        near = np.zeros_like(distances)
        for i, row in enumerate(distances):
            near[i, np.argsort(row)[:2]] = 1
        assigned = plain.softmax(unary)
        for _ in range(20):
            assigned = plain.softmax(unary + smoothness * near @ assigned)
        return assigned.argmax(1)

    assert_loop_agrees(
        novel, base, method, predict, transform, shots=shots, tasks=12, tolerance=0.15
    )


@pytest.mark.parametrize("shots", [1, 5])
def test_easyfsl_finds_the_same_but_for_a_query_being_its_own_neighbour(
    non_negative, assert_loop_agrees, shots
):
    """easyfsl asks for k nearest, drops the first, which is the query itself, and has k - 1."""
    methods = pytest.importorskip("easyfsl.methods")

    def predict(support, labels, query):
        model = methods.LaplacianShot(knn=4, feature_normalization=2.0)
        model.process_support_set(torch.tensor(support).float(), torch.tensor(labels))
        return model(torch.tensor(query).float()).argmax(1).numpy()

    novel, base = non_negative.novel, non_negative.base
    method = "laplacianshot,norm=l2n,scale=1,neighbours=3,rectification=paper"
    assert_loop_agrees(novel, base, method, predict, shots=shots, tasks=50)


def test_too_few_queries_for_the_neighbours_are_refused(novel, run):
    with pytest.raises(InputError, match=r"needs 2 other queries .* has 2 queries in all"):
        run(*novel, "laplacianshot,norm=l2n", ways=2, queries=1, tasks=2)
