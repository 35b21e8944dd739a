import math

import pytest

from lowlabel.training.engine.monitor import TrainingError
from lowlabel.training.methods.collapse import CollapseMonitor

LN_K = math.log(4096)
HEALTHY = {"teacher_entropy": 5.0, "usage_entropy": 8.0, "feature_std": 0.9}


@pytest.mark.parametrize(
    ("loss", "logs", "reason"),
    [
        (8.3178, {"teacher_entropy": LN_K}, "teacher is uniform"),
        (2.0, {"feature_std": 1e-5}, "same feature"),
        (0.01, {"teacher_entropy": 0.0, "usage_entropy": 0.001}, "one prototype"),
    ],
)
def test_collapse_is_reported_once_it_lasts(loss, logs, reason):
    monitor = CollapseMonitor(LN_K, LN_K, 3)
    values = HEALTHY | logs
    monitor.check(1, loss, values)
    monitor.check(2, loss, values)
    monitor.check(3, 6.0, HEALTHY)
    monitor.check(4, loss, values)
    monitor.check(5, loss, values)
    with pytest.raises(TrainingError, match=reason):
        monitor.check(6, loss, values)


def test_healthy_runs_continue():
    monitor = CollapseMonitor(LN_K, LN_K, 2)
    for step in range(10):
        monitor.check(step, 8.30, HEALTHY)
