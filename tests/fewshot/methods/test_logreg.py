import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression


def predict(support, labels, query):
    model = LogisticRegression(C=0.5, tol=1e-8, max_iter=10_000)
    return model.fit(support, labels).predict(query)


@pytest.mark.slow
@pytest.mark.parametrize("shots", [1, 5])
@pytest.mark.parametrize(
    ("method", "transform"),
    [("logreg,c=0.5", "none"), ("logreg,c=0.5,norm=l2", "l2")],
)
def test_each_task_scores_what_scikit_learn_finds(
    novel, base, assert_loop_agrees, method, transform, shots
):
    assert_loop_agrees(novel, base, method, predict, transform, shots=shots, tasks=60)


@pytest.mark.slow
@pytest.mark.parametrize("shots", [1, 5])
@pytest.mark.parametrize("transform", ["tukey", "tukey-l2"])
def test_each_task_of_non_negative_features_too(non_negative, assert_loop_agrees, transform, shots):
    data, method = non_negative, f"logreg,c=0.5,norm={transform}"
    assert_loop_agrees(data.novel, data.base, method, predict, transform, shots=shots, tasks=60)


@pytest.mark.parametrize(
    ("method", "change"),
    [
        ("logreg", lambda x: x + 10),
        ("logreg,norm=l2", lambda x: x * np.linspace(1, 9, len(x))[:, None]),
    ],
)
def test_shifts_and_normalised_lengths_do_not_matter(novel, run, method, change):
    expected = run(*novel, method, shots=3, tasks=100).accuracies
    result = run(change(novel[0]), novel[1], method, shots=3, tasks=100)
    assert np.abs(result.accuracies - expected).mean() < 0.1
