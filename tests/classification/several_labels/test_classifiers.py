"""k-NN and logistic regression of several labels, beside brute force and scikit-learn."""

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import precision_recall_curve
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import StandardScaler

from lowlabel.classification import (
    LinearRecipe,
    average_precision,
    evaluate_knn_several_labels,
    evaluate_linear_several_labels,
    evaluate_logistic_several_labels,
    held_out,
)
from lowlabel.errors import InputError, UnknownNameError
from lowlabel.intervals import jackknife, means_without

T = 0.07


def knn(*arrays, k=7, **more):
    return evaluate_knn_several_labels(*arrays, k=k, **more)[k]


def logistic(*arrays, **more):
    return evaluate_logistic_several_labels(*arrays, **{"c": 0.1, **more})


SGD = LinearRecipe((0.1,), batch_size=256, epochs=20)


def linear(*arrays, **more):
    return evaluate_linear_several_labels(*arrays, **{"recipe": SGD, **more})


CLASSIFIERS = {"knn": knn, "logistic": logistic, "linear": linear}
EXACT = ("knn", "logistic")  # SGD depends on the order of images and labels


def area(own, scores):
    precision, recall, _ = precision_recall_curve(own, scores)
    return 100 * -np.diff(recall) @ np.maximum.accumulate(precision[:-1])


def areas(labels, scores):
    return [area(own, of) for own, of in zip(labels.T, scores.T, strict=True) if own.any()]


def brute_votes(train, test, k):
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (test.features, train.features)]
    found = []
    for cosine in unit[0] @ unit[1].T:
        nearest = np.argsort(-cosine, kind="stable")[:k]
        weight = np.exp((cosine[nearest] - cosine[nearest[0]]) / T)
        found.append(weight @ train.labels[nearest] / weight.sum())
    return np.round(found, 10)


@pytest.mark.parametrize("block", [None, 7])
def test_votes_are_those_of_the_nearest(drawn, block, monkeypatch):
    if block:
        monkeypatch.setattr("lowlabel.classification.several_labels.result._ELEMENTS", 130)
    train, test = drawn(80), drawn(60, seed=1)
    found = evaluate_knn_several_labels(*train, *test, k=(1, 7), block_size=block)
    for k in (1, 7):
        expected = areas(test.labels, brute_votes(train, test, k))
        np.testing.assert_allclose(found[k].average_precision, expected, rtol=1e-9)
        assert found[k].metrics == {"mean_ap": pytest.approx(np.mean(expected))}
        assert found[k].values["mean_ap"].mean() == pytest.approx(np.mean(expected))


def test_neighbours_that_all_have_a_label_are_ties_whatever_their_votes():
    random = np.random.default_rng(0)
    train, test = random.normal(size=(30, 6)), random.normal(size=(40, 6))
    labels = np.column_stack([np.ones(30), random.random(30) < 0.5])
    own = np.column_stack([random.random(40) < 0.5, np.ones(40)])
    result = knn(train, labels, test, own)
    assert result.average_precision[0] == pytest.approx(100 * own[:, 0].mean())


@pytest.mark.parametrize("norm", ["none", "l2", "standard"])
@pytest.mark.parametrize("images", [10, 90])  # fewer than the dimensions, and more
def test_ranks_are_those_of_scikit_learn(drawn, norm, images):
    train, test = drawn(images), drawn(60, seed=1)
    steps = {"none": lambda x: x, "standard": StandardScaler().fit(train.features).transform}
    steps["l2"] = lambda x: x / np.linalg.norm(x, axis=1, keepdims=True)
    theirs = OneVsRestClassifier(LogisticRegression(C=2.0, tol=1e-10, max_iter=10_000))
    theirs.fit(steps[norm](train.features), train.labels.astype(int))
    expected = areas(test.labels, theirs.decision_function(steps[norm](test.features)))
    result = logistic(*train, *test, c=2.0, norm=norm)
    np.testing.assert_allclose(result.average_precision, expected, rtol=1e-9)
    assert result.chosen == {}


CS = (0.001, 0.1, 10.0)


def of_scikit_learn(train, test, c):
    theirs = OneVsRestClassifier(LogisticRegression(C=c, tol=1e-10, max_iter=10_000))
    theirs.fit(train[0], train[1].astype(int))
    return np.mean(areas(test[1], theirs.decision_function(test[0])))


def test_c_has_the_highest_map_on_the_validation_images(drawn):
    train, test, val = drawn(90), drawn(60, seed=1), drawn(40, seed=2)
    result = logistic(*train, *test, c=CS, validation=val)
    tried = {c: of_scikit_learn(train, val, c) for c in CS}
    assert [*result.chosen["tried"].values()] == pytest.approx([*tried.values()])
    best = max(tried, key=tried.get)
    assert result.chosen["method"] == f"logreg,c={best}"
    assert result.metrics["mean_ap"] == pytest.approx(of_scikit_learn(train, test, best))


def test_c_is_chosen_on_a_tenth_by_the_rarest_label_and_fitted_again(drawn):
    train, test = drawn(120), drawn(60, seed=1)
    features, labels = train
    rarity = labels.sum(axis=0)
    rarest = np.array(
        [min(np.flatnonzero(row), key=lambda j: rarity[j]) if row.any() else -1 for row in labels]
    )
    held = held_out(rarest, seed=3)
    assert held.sum() >= 5
    result = logistic(*train, *test, c=CS, seed=3)
    kept, out = (features[~held], labels[~held]), (features[held], labels[held])
    tried = {c: of_scikit_learn(kept, out, c) for c in CS}
    assert [*result.chosen["tried"].values()] == pytest.approx([*tried.values()])
    best = max(tried, key=tried.get)
    assert result.metrics["mean_ap"] == pytest.approx(of_scikit_learn(train, test, best))


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_labels_without_images_are_left_out_or_constant_and_counted(drawn, name):
    train, test = drawn(60), drawn(50, seed=1)
    zeros = [np.zeros((len(part.labels), 1), dtype=bool) for part in (train, test)]
    own = np.arange(50)[:, None] < 10
    more_train = np.hstack([train.labels, ~zeros[0][:, :1], zeros[0], zeros[0]])
    more_test = np.hstack([test.labels, zeros[1], own, zeros[1]])
    plain = CLASSIFIERS[name](*train, *test)
    result = CLASSIFIERS[name](train.features, more_train, test.features, more_test)
    assert (result.without_test, result.without_train) == (2, 1)
    np.testing.assert_array_equal(result.scored, [0, 1, 2, 3, 4, 6])
    np.testing.assert_allclose(result.average_precision[:5], plain.average_precision)
    assert result.average_precision[5] == pytest.approx(20)  # the share of the label


@pytest.mark.parametrize("name", EXACT)
def test_order_and_names_change_nothing(drawn, name):
    train, test = drawn(60), drawn(50, seed=1)
    test.features[:10] = test.features[10:20]  # ties
    expected = CLASSIFIERS[name](*train, *test).average_precision
    random = np.random.default_rng(0)
    order, of_test, columns = (random.permutation(n) for n in (60, 50, 5))
    result = CLASSIFIERS[name](
        train.features[order],
        train.labels[order][:, columns],
        test.features[of_test],
        test.labels[of_test][:, columns],
    )
    np.testing.assert_allclose(result.average_precision, expected[columns], rtol=1e-7)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_labels_that_features_tell_are_found_perfectly(name):
    labels = np.eye(4, dtype=bool)[np.arange(80) % 4]
    features = 100.0 * labels + np.random.default_rng(0).normal(size=(80, 4))
    result = CLASSIFIERS[name](features[:60], labels[:60], features[60:], labels[60:])
    assert result.metrics["mean_ap"] == 100
    assert result.ci95["mean_ap"] == 0


@pytest.mark.parametrize("name", EXACT)
def test_one_label_alone(drawn, name):
    train, test = drawn(60), drawn(50, seed=1)
    every = CLASSIFIERS[name](*train, *test)
    one = CLASSIFIERS[name](train.features, train.labels[:, :1], test.features, test.labels[:, :1])
    assert one.metrics["mean_ap"] == pytest.approx(every.average_precision[0])
    assert np.isnan(one.intervals["mean_ap"]["classes"].half_width)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_intervals_over_images_labels_and_groups(drawn, name):
    train, test = drawn(60), drawn(50, seed=1)
    groups = np.arange(50) // 5
    result = CLASSIFIERS[name](*train, *test, groups=groups)
    kinds = result.intervals["mean_ap"]
    assert result.interval == "groups" and kinds.keys() == {"images", "classes", "groups"}
    values = result.values["mean_ap"]
    assert kinds["images"].half_width == pytest.approx(1.96 * stats.sem(values))
    labels = result.average_precision
    assert kinds["classes"].half_width == pytest.approx(stats.t.ppf(0.975, 4) * stats.sem(labels))
    assert kinds["groups"].half_width == pytest.approx(jackknife(means_without(values, groups)))
    assert result.ci95["mean_ap"] == kinds["groups"].half_width


def test_the_standard_error_is_that_of_other_images():
    random = np.random.default_rng(0)
    means, errors = [], []
    for _ in range(400):
        own = random.random((400, 3)) < 0.2
        scores = own + random.normal(size=own.shape)
        each = [average_precision(s, o) for s, o in zip(scores.T, own.T, strict=True)]
        means.append(np.mean([of.value for of in each]))
        errors.append(stats.sem(np.mean([of.influence for of in each], axis=0)))
    assert np.mean(errors) == pytest.approx(np.std(means), rel=0.1)


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({1: np.zeros((60, 5))}, "none of the 60 train images has a label"),
        ({3: np.zeros((50, 5))}, "none of the 50 test images has a label"),
        ({3: np.ones((50, 4))}, "train labels have 5 columns, test labels 4"),
        ({1: np.full((60, 5), 2)}, "other values than 0 and 1"),
        ({1: np.ones(60)}, r"train labels have the shape \(60,\), not \(60, number of labels\)"),
        ({2: np.ones((50, 3))}, "12 dimensions, test features 3"),
    ],
)
def test_what_does_not_fit_is_said(drawn, name, change, message):
    arrays = dict(enumerate((*drawn(60), *drawn(50, seed=1)))) | change
    with pytest.raises(InputError, match=message):
        CLASSIFIERS[name](*arrays.values())


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_bad_intervals(drawn, name):
    arrays = (*drawn(60), *drawn(50, seed=1))
    with pytest.raises(UnknownNameError, match="confidence interval"):
        CLASSIFIERS[name](*arrays, interval="queries")
    with pytest.raises(InputError, match="needs the group of each test image"):
        CLASSIFIERS[name](*arrays, interval="groups")


def test_labels_of_all_images_teach_nothing(drawn):
    train, test = drawn(60), drawn(50, seed=1)
    with pytest.raises(InputError, match="each label is that of all or none of the 60 train"):
        logistic(train.features, np.ones((60, 5)), *test)


def test_a_fit_that_is_cut_short_is_said(drawn):
    with pytest.warns(UserWarning, match="did not converge in 1 Newton steps"):
        result = logistic(*drawn(60), *drawn(50, seed=1), c=100.0, max_iter=1)
    assert result.chosen["not_converged"] == ["logreg,c=100.0"]


@pytest.mark.parametrize("block_size", [0, -1, 1.5, True])
def test_a_block_has_an_image_at_least(drawn, block_size):
    with pytest.raises(InputError, match=f"block_size={block_size} must be an integer of at"):
        knn(*drawn(60), *drawn(50, seed=1), block_size=block_size)


def test_some_rows_vote_for_some_rows(drawn):
    features, labels = drawn(90)
    voters, scored = np.arange(0, 90, 2), np.arange(1, 90, 2)
    some = knn(features, labels, features, labels, rows=voters, test_rows=scored)
    alone = knn(features[voters], labels[voters], features[scored], labels[scored])
    np.testing.assert_array_equal(some.average_precision, alone.average_precision)
