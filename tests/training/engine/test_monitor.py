import json
import math

import pytest

from lowlabel.training.engine.metrics import MetricsLog, RunningMeans, read_metrics
from lowlabel.training.engine.monitor import Monitor, TrainingError

LN_K = math.log(4096)
HEALTHY = {"teacher_entropy": 5.0, "usage_entropy": 8.0, "feature_std": 0.9}


def test_nan_is_said_with_the_step():
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
def test_collapse_is_said_once_it_lasts(loss, logs, reason):
    monitor = Monitor(LN_K, LN_K, 3)
    values = HEALTHY | logs
    monitor.check_collapse(1, loss, values)
    monitor.check_collapse(2, loss, values)
    monitor.check_collapse(3, 6.0, HEALTHY)
    monitor.check_collapse(4, loss, values)
    monitor.check_collapse(5, loss, values)
    with pytest.raises(TrainingError, match=reason):
        monitor.check_collapse(6, loss, values)


def test_healthy_runs_go_on():
    monitor = Monitor(LN_K, LN_K, 2)
    for step in range(10):
        monitor.check_collapse(step, 8.30, HEALTHY)


def test_metrics_after_the_checkpoint_are_dropped(tmp_path):
    with MetricsLog(tmp_path, 0) as log:
        for step in range(1, 6):
            log.write(step, {"loss": float(step)})
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 6, "lo')
    with MetricsLog(tmp_path, 3) as log:
        log.write(4, {"loss": 40.0})
    assert [entry["step"] for entry in read_metrics(tmp_path)] == [1, 2, 3, 4]
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert json.loads(lines[-1]) == {"step": 4, "loss": 40.0}


def test_running_means():
    means = RunningMeans(8)
    means.add({"loss": 1.0})
    means.add({"loss": 3.0})
    taken = means.take()
    assert taken["loss"] == 2.0
    assert taken["images_per_second"] > 0
    means.add({"loss": 7.0})
    assert means.take()["loss"] == 7.0
