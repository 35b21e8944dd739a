import math

import pytest

from lowlabel.training.engine.monitor import Monitor, TrainingError

LN_K = math.log(4096)
HEALTHY = {"teacher_entropy": 5.0, "usage_entropy": 8.0, "feature_std": 0.9}


def test_divergence_is_reported_with_its_step():
    with pytest.raises(TrainingError, match="loss is nan in step 1,234"):
        Monitor(LN_K, LN_K, 3).check_finite(1234, loss=math.nan)
    with pytest.raises(TrainingError, match="gradient norm is inf"):
        Monitor(LN_K, LN_K, 3).check_finite(1, gradient_norm=math.inf)


@pytest.mark.parametrize(
    ("loss", "logs", "reason"),
    [
        (8.3178, {"teacher_entropy": LN_K}, "teacher is uniform"),
        (2.0, {"feature_std": 1e-5}, "same feature"),
        (0.01, {"teacher_entropy": 0.0, "usage_entropy": 0.001}, "one prototype"),
    ],
)
def test_collapse_is_reported_once_it_lasts(loss, logs, reason):
    monitor = Monitor(LN_K, LN_K, 3)
    values = HEALTHY | logs
    monitor.check_collapse(1, loss, values)
    monitor.check_collapse(2, loss, values)
    monitor.check_collapse(3, 6.0, HEALTHY)
    monitor.check_collapse(4, loss, values)
    monitor.check_collapse(5, loss, values)
    with pytest.raises(TrainingError, match=reason):
        monitor.check_collapse(6, loss, values)


def test_healthy_runs_continue():
    monitor = Monitor(LN_K, LN_K, 2)
    for step in range(10):
        monitor.check_collapse(step, 8.30, HEALTHY)
