"""A training that a signal ends takes the processes that load its images with it."""

import os
import signal
import time
from pathlib import Path

import pytest

PATIENCE_S = 60.0


def children(process: int) -> list[int]:
    """Processes that a process has started."""
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = file.read_text()
        except OSError:  # it has just ended
            continue
        state, parent = text.rpartition(")")[2].split()[:2]
        if int(parent) == process and state != "Z":
            found.append(int(file.parent.name))
    return found


def wait_for(condition):
    deadline = time.monotonic() + PATIENCE_S
    while not (value := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return value


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc")
@pytest.mark.parametrize(
    ("number", "whole_group"),
    [(signal.SIGINT, True), (signal.SIGTERM, False), (signal.SIGTERM, True), (signal.SIGHUP, True)],
)
def test_no_process_that_loads_images_is_left(run, number, whole_group):
    command = run("pretrain", "here", {"--epochs": "1000", "--workers": "2"})
    loading = wait_for(lambda: found if len(found := children(command.process.pid)) > 1 else [])
    wait_for(lambda: " img" in command.log.read_text())
    if whole_group:
        for each in loading:
            os.kill(each, number)
    os.kill(command.process.pid, number)
    code, text = command.end(PATIENCE_S)
    assert code == 128 + number, text
    assert "interrupted: run the same command again" in text
    assert "Traceback" not in text
    assert not [each for each in loading if Path(f"/proc/{each}").exists()]
