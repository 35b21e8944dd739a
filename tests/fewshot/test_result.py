import math

import numpy as np
import pytest
from scipy import stats

from lowlabel.errors import UnknownNameError
from lowlabel.fewshot import FewShotResult, confidence_interval
from lowlabel.fewshot.uncertainty import over_tasks


def result(accuracies, interval="tasks"):
    values = np.asarray(accuracies, float)
    intervals = {"tasks": over_tasks(values, interval)}
    return FewShotResult(
        values, "ncm", False, 5, 1, 15, 0, "", intervals=intervals, interval=interval
    )


@pytest.mark.parametrize("tasks", [2, 30, 10_000])
def test_both_intervals_are_those_of_scipy(tasks):
    accuracies = np.random.default_rng(tasks).normal(60, 9, tasks)
    sem = stats.sem(accuracies)
    low, high = stats.t.interval(0.95, tasks - 1, loc=accuracies.mean(), scale=sem)
    assert confidence_interval(accuracies, "student-t") == pytest.approx((high - low) / 2)
    assert confidence_interval(accuracies) == pytest.approx(1.96 * sem)


def test_the_result_has_mean_interval_and_its_definition():
    of_three = result([20, 40, 90])
    assert of_three.tasks == 3
    assert of_three.mean == 50
    assert of_three.ci95 == pytest.approx(1.96 * math.sqrt(1300) / math.sqrt(3))
    assert "1.96" in of_three.ci95_definition
    assert "ddof=1" in of_three.ci95_definition


def test_one_task_has_no_interval():
    assert math.isnan(result([40]).ci95)


def test_an_unknown_definition_gets_a_suggestion():
    with pytest.raises(UnknownNameError, match="student-t"):
        confidence_interval(np.ones(3), "student")
