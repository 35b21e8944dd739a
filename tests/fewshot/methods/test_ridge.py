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
