"""Labels and scores of new images, against scikit-learn and brute force."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from scipy.stats import binomtest
from sklearn.linear_model import LogisticRegression

from lowlabel.classification import choose_method, evaluate_knn, predict_labels
from lowlabel.classification.predict.calibration import fit_scale
from lowlabel.classification.predict.candidates import DEFAULT_METHODS
from lowlabel.classification.predict.expected import wilson
from lowlabel.errors import InputError


@pytest.fixture
def data():
    random = np.random.default_rng(5)
    means = random.normal(size=(4, 12))
    labels = np.repeat([3, 5, 8, 13], (4, 9, 6, 11))
    places = np.searchsorted([3, 5, 8, 13], labels)
    features = means[places] + random.normal(size=(30, 12))
    return features, labels, means[random.integers(0, 4, 50)] + random.normal(size=(50, 12))


def test_logistic_regression_labels_as_scikit_learn(data):
    features, labels, new = data
    found = predict_labels(features, labels, new, methods="logreg,c=0.5")
    fitted = LogisticRegression(C=0.5, tol=1e-10, max_iter=10_000).fit(features, labels)
    scores = found.choice.scale * fitted.decision_function(new)
    shares = np.exp(log_softmax(scores, axis=1))
    order = np.argsort(-shares, axis=1)
    assert (found.labels == fitted.classes_[order[:, 0]]).all()
    assert (found.runners_up == fitted.classes_[order[:, 1]]).all()
    np.testing.assert_allclose(found.scores, shares.max(1), atol=1e-5)
    np.testing.assert_allclose(
        found.runner_up_scores, np.take_along_axis(shares, order, 1)[:, 1], atol=1e-5
    )


def test_neighbours_vote_as_in_the_protocol(data):
    features, labels, new = data
    found = predict_labels(features, labels, new, methods="knn,k=7")
    unit = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in (features, new)]
    cosines = unit[1] @ unit[0].T
    nearest = np.argsort(-cosines, axis=1)[:, :7]
    votes = np.zeros((50, 14))
    for row, places in enumerate(nearest):
        for place in places:
            votes[row, labels[place]] += np.exp(cosines[row, place] / 0.07)
    assert (found.labels == votes.argmax(1)).all()
    right = evaluate_knn(features, labels, new, found.labels, k=7).metrics["top1@7"]
    assert right == 100.0


def test_the_scale_minimises_the_smoothed_cross_entropy():
    random = np.random.default_rng(2)
    classes = random.integers(0, 5, 80)
    scores = random.normal(size=(80, 5)) + 1.5 * np.eye(5)[classes]
    rest = 1 / 82
    targets = np.full((80, 5), rest / 4)
    targets[np.arange(80), classes] = 1 - rest

    def loss(scale):
        return -(targets * log_softmax(scale * scores, axis=1)).sum(1).mean()

    best = minimize_scalar(loss, bounds=(0, 50), method="bounded", options={"xatol": 1e-9}).x
    found = fit_scale(torch.from_numpy(scores), torch.from_numpy(classes))
    assert found == pytest.approx(best, rel=1e-5)


def test_the_scale_is_finite_where_all_are_right_and_zero_where_scores_say_nothing():
    classes = torch.arange(12) % 3
    assert 0 < fit_scale(torch.eye(3)[classes], classes) < 20
    assert fit_scale(torch.eye(3)[(classes + 1) % 3], classes) == 0.0


@pytest.mark.parametrize(("right", "images"), [(0, 9), (7, 9), (30, 30), (181, 200)])
def test_the_interval_is_that_of_wilson(right, images):
    low, high, _ = wilson(np.arange(images) < right, None)
    expected = binomtest(right, images).proportion_ci(method="wilson")
    assert (low, high) == pytest.approx((100 * expected.low, 100 * expected.high))


def test_groups_widen_the_interval_where_their_images_agree():
    groups = np.repeat(np.arange(20), 10)
    agreeing = np.repeat(np.arange(20) % 3 > 0, 10)
    low, high, definition = wilson(agreeing, groups)
    alone = wilson(agreeing, None)
    assert high - low > 2 * (alone[1] - alone[0])
    assert "20 groups" in definition
    one, other, _ = wilson(agreeing, np.arange(200))
    assert (one, other) == pytest.approx(alone[:2], abs=0.2)  # Student's t of 199
    low, high, _ = wilson(np.ones(200, dtype=bool), groups)
    assert (low, high) == pytest.approx((82.0, 100.0), abs=0.5)  # as 20 images
    assert wilson(np.ones(5, dtype=bool), np.zeros(5, int))[:2] == (0.0, 100.0)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_labels_and_scores(data):
    features, labels, new = data
    first, second = (predict_labels(features, labels, new, seed=4) for _ in range(2))
    assert first.choice == second.choice
    assert (first.scores == second.scores).all()
    assert len(first.choice.tried) == len(DEFAULT_METHODS)


def test_every_method_scores_each_image_on_its_own(data):
    features, labels, new = data
    for method in (*DEFAULT_METHODS, "svm", "cosine"):
        choice = choose_method(features, labels, methods=method)
        together = predict_labels(features, labels, new, choice=choice)
        alone = [predict_labels(features, labels, new[[row]], choice=choice) for row in range(5)]
        assert [each.labels[0] for each in alone] == together.labels[:5].tolist()
        np.testing.assert_allclose([each.scores[0] for each in alone], together.scores[:5], 1e-4)


@pytest.mark.parametrize("method", ["ncm", "knn"])
def test_rows_without_a_direction_are_refused(data, method):
    features, labels, new = data
    for zero, name in ((features, "features"), (new, "new_features")):
        zero[3] = 0
        with pytest.raises(InputError, match=f"1 of {len(zero)} rows of {name} are all zero"):
            predict_labels(features, labels, new, methods=method)
        zero[3] = 1


def test_widths_must_match(data):
    features, labels, new = data
    with pytest.raises(InputError, match="12 dimensions"):
        predict_labels(features, labels, new[:, :5])
    with pytest.raises(InputError, match="new_features hold NaN"):
        predict_labels(features, labels, np.full((1, 12), np.nan))
