import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestCentroid


def nearest(support, labels, query):
    with np.errstate(invalid="ignore"):  # its deviation within a class of one image
        return NearestCentroid().fit(support, labels).predict(query)


@pytest.mark.parametrize("shots", [1, 5])
@pytest.mark.parametrize(
    ("method", "transform"),
    [("ncm", "none"), ("ncm,norm=l2n", "l2"), ("ncm,norm=cl2n", "cl2")],
)
def test_each_task_scores_what_scikit_learn_finds(
    novel, base, assert_loop_agrees, method, transform, shots
):
    assert_loop_agrees(novel, base, method, nearest, transform, shots=shots, tasks=60)


@pytest.mark.parametrize("shots", [1, 5])
def test_each_task_scores_what_a_plain_loop_finds(novel, base, assert_loop_agrees, plain, shots):
    def predict(support, labels, query):
        return plain.squared_distances(query, plain.means(support, labels)).argmin(1)

    assert_loop_agrees(novel, base, "ncm", predict, shots=shots, tasks=60)


@pytest.mark.parametrize(("method", "normalization"), [("ncm", None), ("ncm,norm=l2n", 2.0)])
def test_easyfsl_finds_the_same(novel, base, assert_loop_agrees, method, normalization):
    methods = pytest.importorskip("easyfsl.methods")

    def predict(support, labels, query):
        model = methods.PrototypicalNetworks(feature_normalization=normalization)
        model.process_support_set(torch.tensor(support), torch.tensor(labels))
        return model(torch.tensor(query)).argmax(1).numpy()

    assert_loop_agrees(novel, base, method, predict, shots=5, tasks=50)


@pytest.mark.parametrize(
    ("method", "change"),
    [
        ("ncm", lambda x: x + 100),
        ("ncm", lambda x: 7 * x),
        ("ncm,norm=l2n", lambda x: x * np.linspace(1, 9, len(x))[:, None]),
        ("ncm,norm=cl2n", lambda x: x + 3),
    ],
)
def test_shifts_and_scales_that_change_no_order_do_not_matter(novel, run, method, change):
    expected = run(*novel, method, base=novel, shots=3, tasks=100).accuracies
    changed = change(novel[0]), novel[1]
    result = run(*changed, method, base=changed, shots=3, tasks=100)
    assert np.abs(result.accuracies - expected).mean() < 0.1


def test_a_large_offset_does_not_drown_the_distances(novel, base, assert_loop_agrees):
    shifted = (novel[0] + 1000).astype(np.float32), novel[1]
    assert_loop_agrees(shifted, base, "ncm", nearest, shots=5, tasks=60)
