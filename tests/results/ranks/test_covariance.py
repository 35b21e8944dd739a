"""The covariance of scores gives the variance of every paired difference."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from lowlabel.results.comparison.paired import paired_interval
from lowlabel.results.ranks.covariance import covariance


@pytest.fixture
def three(fewshot):
    random = np.random.default_rng(0)
    common, halves = random.normal(60, 10, 200), random.normal(0, 5, (24, 1))
    found = []
    for name in "abc":
        scored = fewshot(name, values=common + random.normal(0, 2, 200))
        kinds = {
            "images": halves + random.normal(0, 3, (24, 1)) + random.normal(0, 2, (24, 50)),
            "classes": 60 + random.normal(0, 1, 20),
        }
        found.append(replace(scored, replicates={"accuracy": kinds}))
    return found


@pytest.mark.parametrize("unit", ["images", "classes", "tasks"])
def test_differences_have_the_variance_of_their_interval(three, unit):
    matrix, degrees = covariance([("accuracy", one) for one in three], unit, unit == "tasks")
    for i, j in ((0, 1), (0, 2), (1, 2)):
        a, b = three[i], three[j]
        gap = a.per_item["accuracy"] - b.per_item["accuracy"]
        found = paired_interval(a, b, "accuracy", gap, unit)
        error = (found.ci_high - found.ci_low) / 2 / stats.t.ppf(0.975, degrees)
        assert found.interval == unit
        variance = matrix[i, i] + matrix[j, j] - 2 * matrix[i, j]
        assert variance == pytest.approx(error**2)
