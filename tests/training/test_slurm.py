import importlib.util
import sys
from types import SimpleNamespace

import pytest

from lowlabel.errors import InputError, UnknownNameError, UserError
from lowlabel.training import RunOptions, make_plan, make_recipe
from lowlabel.training.slurm import slurm_parameters, submit


def test_parameters():
    assert slurm_parameters("partition=gpu,gpus=8,nodes=2,hours=12") == {
        "slurm_partition": "gpu",
        "gpus_per_node": 8,
        "tasks_per_node": 8,
        "nodes": 2,
        "cpus_per_task": 10,
        "timeout_min": 720,
    }
    with pytest.raises(UnknownNameError, match="node"):
        slurm_parameters("node=2")
    with pytest.raises(InputError, match="gpus=0"):
        slurm_parameters("gpus=0")


def test_the_job_is_the_run(stripes, tmp_path, monkeypatch):
    submitted = {}

    class Executor:
        def __init__(self, folder):
            submitted["folder"] = folder

        def update_parameters(self, **parameters):
            submitted.update(parameters)

        def submit(self, run):
            submitted["run"] = run
            return SimpleNamespace(job_id="17")

    fake = SimpleNamespace(AutoExecutor=Executor)
    monkeypatch.setitem(sys.modules, "submitit", fake)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    plan = make_plan(f"folder:{stripes}", make_recipe("dino"))
    text = submit("gpus=4", plan, RunOptions(tmp_path))
    assert "job 17" in text
    assert submitted["name"] == "lowlabel-dino"
    assert submitted["folder"] == tmp_path / "slurm"


def test_without_submitit_it_says_what_to_install(stripes, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    plan = make_plan(f"folder:{stripes}", make_recipe("dino"))
    with pytest.raises(UserError, match="not installed") as error:
        submit("gpus=4", plan, RunOptions(tmp_path))
    assert "pip install" in error.value.hint
