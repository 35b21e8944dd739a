"""Sweeps on a real Slurm: `tests/slurm/single_node.sh python -m pytest tests/slurm`."""

import os
import shutil
import subprocess
import sys
import time

import pytest

from lowlabel.results import load_records

pytestmark = pytest.mark.skipif(
    not (shutil.which("sbatch") and os.environ.get("SLURM_CONF")), reason="there is no Slurm"
)


def lowlabel(*arguments):
    command = [sys.executable, "-m", "lowlabel", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=900)


def wait_for_slurm():
    give_up = time.monotonic() + 900
    while subprocess.run(["squeue", "-h"], capture_output=True, check=True).stdout.strip():
        assert time.monotonic() < give_up
        time.sleep(0.5)


def test_a_sweep_is_submitted_once_and_a_cancelled_job_runs_again_alone(image_folder, tmp_path):
    """Two jobs, of which one is cancelled while it waits."""
    output = tmp_path / "out"
    run = ["run", "--suite", "retrieval", "--model", "pixels", "--suite", "knn"]
    run += ["--dataset", f"folder:{image_folder}", "--output", output, "--resolution", "4"]
    run += ["--launcher", "slurm,gpus=0,cpus=1,hours=1,jobs=1"]
    first = lowlabel(*run)
    assert first.returncode == 0, first.stderr
    assert first.stderr.count("\nstarted: ") == 2
    again = lowlabel(*run)
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("\nstarted: ") == 0
    listed = subprocess.run(["squeue", "-hr", "-o", "%i"], capture_output=True, text=True)
    waiting = listed.stdout.split()[-1]
    subprocess.run(["scancel", waiting], check=True)
    wait_for_slurm()
    resumed = lowlabel(*run)
    assert resumed.returncode == 0, resumed.stderr
    assert resumed.stderr.count("failed before, started again: ") == 1
    assert resumed.stderr.count("\nstarted: ") == 1
    wait_for_slurm()
    last = lowlabel(*run)
    assert "2 jobs, done before: 2" in last.stderr
    assert "Recall@K" in last.stdout
    assert "Top-1" in last.stdout
    assert len(load_records(output)) == 2
