"""Intervals over classes and groups of test images."""

import numpy as np
import pytest
from scipy import stats

from lowlabel.classification import (
    evaluate_knn,
    evaluate_label_budget,
    evaluate_linear,
    evaluate_logistic_regression,
)
from lowlabel.classification.probe.recipe import LinearRecipe
from lowlabel.errors import InputError, UnknownNameError
from lowlabel.intervals import jackknife, means_without

RECIPE = LinearRecipe((0.5,), batch_size=64, epochs=3)
EVALUATIONS = {
    "knn": lambda *arrays, **more: evaluate_knn(*arrays, k=5, all_metrics=True, **more).of(5),
    "linear": lambda *arrays, **more: evaluate_linear(*arrays, recipe=RECIPE, **more),
    "logistic": lambda *arrays, **more: evaluate_logistic_regression(*arrays, c=1.0, **more),
    "budget": lambda *arrays, **more: evaluate_label_budget(
        *arrays, budgets=3, methods="ncm", **more
    ).of(3, "ncm"),
}


@pytest.fixture
def arrays():
    rng = np.random.default_rng(4)
    centres = rng.standard_normal((6, 8))
    train, test = rng.permutation(np.arange(6).repeat(12)), rng.integers(0, 6, 90)
    features = [centres[labels] + rng.standard_normal((len(labels), 8)) for labels in (train, test)]
    return features[0], train, features[1], test


@pytest.mark.parametrize("name", EVALUATIONS)
def test_every_classifier_has_intervals_over_images_groups_and_classes(arrays, name):
    groups = np.arange(90) // 5
    result = EVALUATIONS[name](*arrays, groups=groups)
    assert result.interval == "groups"
    values, labels = result.values["top1"], arrays[3]
    kinds = result.intervals["top1"]
    assert kinds.keys() - {"draws"} == {"images", "groups", "classes"}
    for kind, units in (("groups", groups), ("classes", labels)):
        without = [values[units != unit].mean() for unit in np.unique(units)]
        np.testing.assert_allclose(kinds[kind].replicates, without)
    assert kinds["classes"].half_width == pytest.approx(jackknife(means_without(values, labels)))
    assert result.ci95["top1"] == kinds["groups"].half_width
    other = EVALUATIONS[name](*arrays, interval="classes")
    assert other.ci95["top1"] == kinds["classes"].half_width
    assert "groups" not in other.intervals["top1"]
    default = EVALUATIONS[name](*arrays)
    assert default.ci95["top1"] == kinds["images"].half_width
    assert default.ci95_definition == kinds["images"].definition


def test_balanced_accuracy_varies_with_the_recall_of_classes(arrays):
    result = EVALUATIONS["knn"](*arrays)
    hits, labels = result.values["top1"], arrays[3]
    recall = [hits[labels == c].mean() for c in range(6)]
    found = result.intervals["balanced_accuracy"]["classes"]
    assert found.half_width == pytest.approx(stats.t.ppf(0.975, 5) * stats.sem(recall))


@pytest.mark.parametrize("metric", ["macro_f1", "auroc"])
def test_metrics_that_compare_classes_have_none_over_classes_and_say_so(arrays, metric):
    result = EVALUATIONS["knn"](*arrays, interval="classes")
    assert np.isnan(result.ci95[metric])
    assert "none: " in result.intervals[metric]["classes"].definition
    assert result.intervals[metric]["images"].half_width > 0


def test_one_class_or_group_has_no_interval(arrays):
    train, labels, test, _ = arrays
    one = np.zeros(90, np.int64)
    kinds = evaluate_knn(train, labels, test, one, k=5, groups=one).intervals["top1@5"]
    assert np.isnan(kinds["classes"].half_width) and np.isnan(kinds["groups"].half_width)
    assert kinds["groups"].definition == "none: the test images have fewer than two groups"


def test_a_budget_has_an_interval_over_its_draws(arrays):
    result = EVALUATIONS["budget"](*arrays, interval="draws", draws=4)
    draws = result.by_draw["top1"]
    assert result.ci95["top1"] == pytest.approx(stats.t.ppf(0.975, 3) * stats.sem(draws))
    single = EVALUATIONS["budget"](*arrays, draws=1).intervals["top1"]
    assert np.isnan(single["draws"].half_width)


def test_a_budget_adds_the_variance_of_draws_to_that_of_groups(arrays):
    groups = np.arange(90) // 5
    result = EVALUATIONS["budget"](*arrays, groups=groups)
    draws = result.by_draw["top1"]
    by_draw = draws.var(ddof=1) / len(draws)
    without = means_without(result.values["top1"], groups)
    by_group = (jackknife(without) / stats.t.ppf(0.975, 17)) ** 2
    freedom = (by_draw + by_group) ** 2 / (by_draw**2 / (len(draws) - 1) + by_group**2 / 17)
    expected = stats.t.ppf(0.975, freedom) * np.sqrt(by_draw + by_group)
    assert result.ci95["top1"] == pytest.approx(expected)


@pytest.mark.parametrize("name", EVALUATIONS)
def test_bad_groups_and_intervals(arrays, name):
    with pytest.raises(UnknownNameError, match="confidence interval"):
        EVALUATIONS[name](*arrays, interval="queries")
    with pytest.raises(InputError, match="needs the group of each test image"):
        EVALUATIONS[name](*arrays, interval="groups")
    with pytest.raises(InputError, match="groups"):
        EVALUATIONS[name](*arrays, groups=np.arange(3))
