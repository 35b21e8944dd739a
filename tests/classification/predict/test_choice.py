"""Chosen methods and expected accuracies, against scikit-learn and by what must hold."""

import math

import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier
from sklearn.neighbors import NearestCentroid

from lowlabel.classification import choose_method, predict_labels
from lowlabel.classification.predict.folds import ALWAYS, stratified_folds
from lowlabel.errors import InputError, UnknownNameError

SKLEARN = {
    "ncm": NearestCentroid,
    "ridge": RidgeClassifier,
    "ridge,alpha=100.0": lambda: RidgeClassifier(alpha=100.0),
}


def draw(random, means, images, noise=1.0):
    labels = random.permutation(np.arange(images) % len(means))
    features = means[labels] + noise * random.normal(size=(images, means.shape[1]))
    return features, labels


def naive_nested(features, labels, fold, methods):
    """The chosen method and the nested accuracy, by three loops."""

    def right(name, train, test):
        return (
            SKLEARN[name]().fit(features[train], labels[train]).predict(features[test])
            == (labels[test])
        )

    correct = []
    for outer in range(fold.max() + 1):
        inner = {
            name: sum(
                right(name, ~np.isin(fold, (outer, each)), fold == each).sum()
                for each in range(fold.max() + 1)
                if each != outer
            )
            for name in methods
        }
        best = max(methods, key=lambda name: inner[name])
        correct += right(best, fold != outer, fold == outer).tolist()
    plain = {
        name: np.mean(
            np.concatenate(
                [right(name, fold != each, fold == each) for each in range(fold.max() + 1)]
            )
        )
        for name in methods
    }
    return plain, np.mean(correct)


@pytest.mark.parametrize("seed", range(4))
def test_choice_and_nested_accuracy_are_those_of_three_loops_with_scikit_learn(seed):
    random = np.random.default_rng(seed)
    features, labels = draw(random, random.normal(size=(5, 8)), 70)
    found = choose_method(features, labels, methods=tuple(SKLEARN), folds=4, seed=seed)
    fold = stratified_folds(labels, None, 4, seed)
    plain, nested = naive_nested(features, labels, fold, tuple(SKLEARN))
    assert found.tried == pytest.approx({name: 100 * value for name, value in plain.items()})
    assert found.method == max(plain, key=lambda name: plain[name])
    assert found.accuracy == pytest.approx(100 * nested)
    assert (found.folds, found.scored, len(found.chosen)) == (4, 70, 4)


@pytest.mark.slow
def test_the_choice_does_not_raise_the_expected_accuracy():
    """On noise, the best of many methods looks better than chance; the estimate must not."""
    methods = ("knn,k=1", "knn,k=6", "ridge,alpha=0.01", "ncm", "cosine")
    estimates, best = [], []
    for seed in range(24):
        random = np.random.default_rng(seed)
        found = choose_method(
            random.normal(size=(60, 6)), np.arange(60) % 3, methods=methods, seed=seed
        )
        estimates.append(found.accuracy)
        best.append(max(found.tried.values()))
    error = np.std(estimates) / math.sqrt(len(estimates))
    assert np.mean(estimates) < 100 / 3 + 2 * error
    assert np.mean(best) > 100 / 3 + 4 * np.std(best) / math.sqrt(len(best))


@pytest.mark.slow
def test_the_interval_covers_the_accuracy_on_new_images():
    covered = []
    for seed in range(40):
        random = np.random.default_rng(seed)
        means = 0.8 * random.normal(size=(5, 10))
        features, labels = draw(random, means, 100)
        new, truth = draw(random, means, 2000)
        found = predict_labels(features, labels, new, methods=("ncm", "ridge"), seed=seed)
        accuracy = 100 * (found.labels == truth).mean()
        low, high = found.choice.interval
        covered.append(low <= accuracy <= high)
    assert np.mean(covered) > 0.85


def test_classes_of_one_image_are_predicted_but_not_scored():
    random = np.random.default_rng(0)
    means = 6 * np.eye(4)
    features, labels = draw(random, means[:3], 30, noise=0.1)
    features, labels = np.vstack([features, means[3]]), np.append(labels + 7, 99)
    found = predict_labels(features, labels, means)
    assert found.labels.tolist() == [7, 8, 9, 99]
    assert found.choice.unscored_classes == (99,)
    assert (found.choice.scored, found.choice.accuracy) == (30, 100.0)
    assert found.choice.interval[0] < 90  # 30 images do not prove that all are right


def test_without_two_images_of_a_class_nothing_is_promised():
    found = predict_labels(np.eye(3), np.arange(3), np.eye(3), methods=("ridge", "ncm"))
    assert found.choice.method == "ridge"
    assert math.isnan(found.choice.accuracy)
    assert math.isnan(found.choice.scale)
    assert found.choice.folds == 0
    assert found.labels.tolist() == [0, 1, 2]


def test_with_two_images_of_each_class_there_is_no_choice():
    features = np.repeat(np.eye(3), 2, axis=0) + 1e-3 * np.arange(18).reshape(6, 3)
    found = choose_method(features, np.repeat(np.arange(3), 2), methods=("ridge", "ncm"))
    assert (found.method, found.folds, found.scored) == ("ridge", 2, 6)
    assert "no class has three images" in found.left_out["ncm"]


def test_groups_are_not_on_both_sides():
    """Each burst of four has a place of its own: its images tell each other's class, no others."""
    random = np.random.default_rng(0)
    bursts = np.repeat(np.arange(24), 4)
    features = random.normal(size=(24, 32))[bursts] + 0.01 * random.normal(size=(96, 32))
    labels = bursts % 2
    alone = choose_method(features, labels, methods="knn,k=1")
    grouped = choose_method(features, labels, methods="knn,k=1", groups=bursts)
    assert alone.accuracy > 95
    assert grouped.accuracy < 75
    fold = stratified_folds(labels, bursts, 5, 0)
    assert all(len(set(fold[bursts == burst])) == 1 for burst in range(24))
    assert ALWAYS not in fold


@pytest.mark.parametrize("method", ["tim", "label-propagation", "dc", "linear-cached"])
def test_methods_that_cannot_label_new_images_are_refused(method):
    with pytest.raises(InputError, match=f"{method}.* cannot predict labels"):
        choose_method(np.eye(4), np.arange(4) % 2, methods=method)


def test_a_method_that_embeddings_do_not_fit_is_left_out_or_refused():
    features = np.random.default_rng(0).normal(size=(12, 4))
    labels = np.arange(12) % 3
    found = choose_method(features, labels, methods=("ncm", "ridge,norm=tukey"))
    assert "negative" in found.left_out["ridge,norm=tukey"]
    with pytest.raises(InputError, match="negative"):
        choose_method(features, labels, methods="ridge,norm=tukey")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"labels": np.zeros(6, int)}, "nothing can be told apart"),
        ({"labels": np.arange(5)}, "labels have the shape"),
        ({"features": np.full((6, 2), np.nan)}, "NaN"),
        ({"features": np.ones((6, 2))}, "all 6 rows of features are equal"),
        ({"folds": 2}, "folds=2 must be an integer of at least 3"),
        ({"groups": np.arange(4)}, "groups have the shape"),
    ],
)
def test_bad_arrays_are_refused(changed, message):
    given = {"features": np.eye(6), "labels": np.arange(6) % 2} | changed
    with pytest.raises(InputError, match=message):
        choose_method(given.pop("features"), given.pop("labels"), **given)
    with pytest.raises(UnknownNameError):
        choose_method(np.eye(6), np.arange(6) % 2, methods="nmc")
