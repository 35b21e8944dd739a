"""Formulas that the protocols share."""

import math

import numpy as np
import pytest
from scipy import stats

from lowlabel.intervals import jackknife, student_t


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
