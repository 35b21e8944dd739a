"""Formulas that the protocols share."""

import math

import numpy as np
import pytest
from scipy import stats

from lowlabel.errors import UnknownNameError
from lowlabel.intervals import (
    half_sampling,
    half_sampling_error,
    jackknife,
    means_without,
    normal,
    require_kind,
    student_t,
)


def test_student_t_is_the_quantile():
    assert student_t(19) == pytest.approx(2.093024, abs=1e-6)
    assert student_t(1e9) == pytest.approx(1.959964, abs=1e-6)


def test_jackknife_of_a_mean_is_the_interval_of_a_mean():
    """Left-out means of equal classes give back Student's t interval of the class means."""
    means = np.random.default_rng(0).normal(60, 10, 12)
    without = (means.sum() - means) / 11
    assert jackknife(without) == pytest.approx(stats.t.ppf(0.975, 11) * stats.sem(means))


def test_jackknife_leaves_out_what_has_no_value():
    values = np.array([50.0, 52.0, math.nan, 49.0])
    assert jackknife(values) == jackknife(values[[0, 1, 3]])
    assert math.isnan(jackknife(values[:1]))


def test_half_sampling_by_hand():
    halves = np.array([[2.0, 4.0], [-6.0, -2.0]])  # means 3 and -4, variances 2 and 8
    values = np.array([50.0, 54.0, 58.0])  # variance 16
    variance = ((9 - 1) + (16 - 4)) / 2 / 4 + 16 / 3
    assert half_sampling_error(halves, values) == pytest.approx(math.sqrt(variance))
    quantile = stats.t.ppf(0.975, 1)
    assert half_sampling(halves, values) == pytest.approx(quantile * math.sqrt(variance))


def test_half_sampling_is_never_below_the_tasks():
    """Where tasks explain more than the differences, nothing is left for the images."""
    halves = np.array([[9.0, -9.0], [-8.0, 8.0]])
    values = np.array([50.0, 54.0, 58.0])
    assert half_sampling_error(halves, values) == pytest.approx(stats.sem(values))
    assert math.isnan(half_sampling(halves, values[:1]))


def test_half_sampling_finds_the_spread_of_a_mean_over_images():
    """Means over 60 of many images; half a split is the mean over 30, and tasks add noise."""
    random = np.random.default_rng(0)
    images = random.normal(0, 6, 60)
    order = np.argsort(random.random((4000, 60)), 1)
    first, second = images[order[:, :30]].mean(1), images[order[:, 30:]].mean(1)
    halves = (first - second)[:, None] + random.normal(0, 3, (4000, 50))
    error = half_sampling_error(halves, np.full(2, 1.0))
    assert error == pytest.approx(stats.sem(images), rel=0.05)


def test_an_unknown_kind_is_refused():
    require_kind("images")
    with pytest.raises(UnknownNameError, match="Did you mean images"):
        require_kind("image")


def test_the_normal_interval_leaves_out_what_has_no_value():
    values = np.array([50.0, math.nan, 52.0, 49.0])
    assert normal(values) == pytest.approx(1.96 * stats.sem(values[[0, 2, 3]]))
    assert math.isnan(normal(values[:2]))


def test_means_without_each_group_are_means_of_the_others():
    rng = np.random.default_rng(1)
    values, groups = rng.normal(60, 10, 30), rng.integers(-2, 5, 30)
    values[groups == 3] = math.nan
    values[0] = math.nan
    expected = [
        math.nan if group == 3 else np.nanmean(values[groups != group])
        for group in np.unique(groups)
    ]
    assert means_without(values, groups) == pytest.approx(expected, nan_ok=True)
    assert np.isnan(means_without(values[1:4], np.zeros(3, np.int64))).all()


def test_the_jackknife_of_clustered_values_is_nearly_the_cluster_robust_interval():
    rng = np.random.default_rng(2)
    groups = np.repeat(np.arange(40), 12)
    values = rng.normal(60, 10, 40)[groups] + rng.normal(0, 10, len(groups))
    sums = np.bincount(groups, values - values.mean())
    robust = stats.t.ppf(0.975, 39) * math.sqrt(40 / 39 * float((sums**2).sum())) / len(values)
    assert jackknife(means_without(values, groups)) == pytest.approx(robust)
