import pytest
from sklearn.svm import LinearSVC


def predict(support, labels, query):
    return LinearSVC(C=0.5, tol=1e-9, max_iter=100_000).fit(support, labels).predict(query)


@pytest.mark.parametrize("shots", [1, 5])
@pytest.mark.parametrize(
    ("method", "transform"),
    [("svm,c=0.5", "none"), ("svm,c=0.5,norm=l2", "l2")],
)
def test_each_task_scores_what_scikit_learn_finds(
    novel, base, assert_loop_agrees, method, transform, shots
):
    assert_loop_agrees(novel, base, method, predict, transform, shots=shots, tasks=60)


@pytest.mark.parametrize("shots", [1, 5])
def test_each_task_of_non_negative_features_too(non_negative, assert_loop_agrees, shots):
    data, method = non_negative, "svm,c=0.5,norm=tukey-l2"
    assert_loop_agrees(data.novel, data.base, method, predict, "tukey-l2", shots=shots, tasks=60)
