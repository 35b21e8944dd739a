import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier


def predict(support, labels, query):
    return RidgeClassifier(alpha=3.0).fit(support, labels).predict(query)


@pytest.mark.parametrize("shots", [1, 5])
@pytest.mark.parametrize(
    ("method", "transform"),
    [("ridge,alpha=3", "none"), ("ridge,alpha=3,norm=l2", "l2")],
)
def test_each_task_scores_what_scikit_learn_finds(
    novel, base, assert_loop_agrees, method, transform, shots
):
    assert_loop_agrees(novel, base, method, predict, transform, shots=shots, tasks=60)


@pytest.mark.parametrize("shots", [1, 5])
def test_each_task_of_non_negative_features_too(non_negative, assert_loop_agrees, shots):
    data, method = non_negative, "ridge,alpha=3,norm=tukey"
    assert_loop_agrees(data.novel, data.base, method, predict, "tukey", shots=shots, tasks=60)


@pytest.mark.parametrize("power", [4, 10, 20, 27, 60])
@pytest.mark.parametrize("width", [6, 24])
def test_large_features_of_few_dimensions_too(novel, run, oracle, width, power):
    """scikit-learn's solver for systems that rounding makes singular."""

    def by_singular_values(support, labels, query):
        return RidgeClassifier(alpha=1.0, solver="svd").fit(support, labels).predict(query)

    x, labels = np.ldexp(novel[0][:, :width], power), novel[1]
    expected = oracle(x, labels, by_singular_values, shots=5, tasks=30)
    found = run(x, labels, "ridge", shots=5, tasks=30).accuracies
    assert np.abs(found - expected).mean() < 0.1
