import importlib.util
import pickle
import sys
from types import SimpleNamespace

import pytest

from lowlabel.errors import InputError, UnknownNameError, UserError
from lowlabel.training import RunOptions
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
    with pytest.raises(InputError, match="gpus must be an integer of at least 1, not 0"):
        slurm_parameters("gpus=0")


def test_the_job_trains_and_resumes_when_slurm_ends_it(plan, tmp_path, monkeypatch):
    submitted = {}

    class Executor:
        def __init__(self, folder):
            submitted["folder"] = folder

        def update_parameters(self, **parameters):
            submitted.update(parameters)

        def submit(self, run):
            submitted["run"] = pickle.loads(pickle.dumps(run))
            return SimpleNamespace(job_id="17")

    helpers = SimpleNamespace(
        TorchDistributedEnvironment=lambda: SimpleNamespace(export=lambda: None),
        DelayedSubmission=lambda run: ("again", run),
    )
    fake = SimpleNamespace(AutoExecutor=Executor, helpers=helpers)
    monkeypatch.setitem(sys.modules, "submitit", fake)
    with monkeypatch.context() as patched:
        patched.setattr(importlib.util, "find_spec", lambda name: name)
        text = submit("gpus=4", plan, RunOptions(tmp_path, workers=0))
    assert "job 17" in text
    assert submitted["name"] == "lowlabel-dino"
    assert submitted["folder"] == tmp_path / "slurm"
    submitted["run"]()
    assert (tmp_path / "backbone.safetensors").is_file()
    assert submitted["run"].checkpoint() == ("again", submitted["run"])


def test_without_submitit_the_error_says_what_to_install(plan, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="not installed") as error:
        submit("gpus=4", plan, RunOptions(tmp_path))
    assert "pip install" in error.value.hint
