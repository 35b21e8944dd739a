import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lowlabel.benchmarks.speed.busy import SPIN, busy


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def until(condition, seconds=60):
    """Whether the condition holds within some seconds."""
    ends = time.monotonic() + seconds
    while not condition() and time.monotonic() < ends:
        time.sleep(0.01)
    return condition()


def started(monkeypatch):
    """The processes that are started from now on."""
    processes, start = [], subprocess.Popen.__init__

    def spy(self, *arguments, **options):
        start(self, *arguments, **options)
        processes.append(self)

    monkeypatch.setattr(subprocess.Popen, "__init__", spy)
    return processes


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_busy_processes_compute_inside_only(monkeypatch):
    processes = started(monkeypatch)
    with busy(2):
        assert len(processes) == 2
        assert until(lambda: all(cpu_seconds(process.pid) > 0.1 for process in processes))
        assert [process.poll() for process in processes] == [None, None]
    assert None not in [process.returncode for process in processes]


def test_a_busy_process_ends_with_the_one_that_started_it():
    command = f"[sys.executable, '-c', {SPIN!r}, str(os.getpid())]"
    code = f"import os, subprocess, sys; subprocess.Popen({command})"
    # Returns when the last process that holds the pipe has ended.
    subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True, timeout=60)
