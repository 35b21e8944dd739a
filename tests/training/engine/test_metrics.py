import json
from pathlib import Path

import pytest

from lowlabel.errors import DataError
from lowlabel.training.engine.metrics import MetricsLog, RunningMeans, read_metrics


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


def test_a_full_disk_is_an_error_of_the_user(tmp_path, monkeypatch):
    with MetricsLog(tmp_path, 0) as log:
        log._file.close()
        log._file = Path("/dev/full").open("a", encoding="utf-8")  # noqa: SIM115, closed by the log
        with pytest.raises(DataError, match=r"cannot write /dev/full: No space left"):
            log.write(1, {"loss": 1.0})


def test_running_means():
    means = RunningMeans(8)
    means.add({"loss": 1.0})
    means.add({"loss": 3.0})
    taken = means.take()
    assert taken["loss"] == 2.0
    assert taken["images_per_second"] > 0
    means.add({"loss": 7.0})
    assert means.take()["loss"] == 7.0
