import importlib.util

import pytest

from lowlabel.errors import InputError, UnknownNameError, UserError
from lowlabel.processes.launchers import Local, Slurm, make_launcher


def test_names_and_options():
    assert make_launcher("local,jobs=3") == Local(jobs=3)
    assert make_launcher("slurm,partition=gpu,gpus=8,nodes=2,hours=12") == Slurm(
        partition="gpu", gpus=8, nodes=2, hours=12
    )
    with pytest.raises(UnknownNameError, match="unknown launcher 'slrum'"):
        make_launcher("slrum")
    with pytest.raises(InputError, match="slurm has no option 'node'"):
        make_launcher("slurm,node=2")
    with pytest.raises(InputError, match="hours of launcher local must be an integer of at least"):
        make_launcher("local,hours=0")


def test_slurm_gets_its_parameters():
    launcher = make_launcher("slurm,partition=gpu,memory_gb=64,jobs=4,nodes=2,cpus=6")
    assert launcher._parameters() == {
        "slurm_partition": "gpu",
        "mem_gb": 64,
        "slurm_array_parallelism": 4,
        "nodes": 2,
        "cpus_per_task": 6,
    }


def test_where_there_is_no_slurm_the_error_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="--launcher slurm cannot be used here") as error:
        Slurm().executor(tmp_path, "jobs")
    assert "--launcher local" in error.value.hint
    assert not Slurm().is_running("17")


def test_without_submitit_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="not installed") as error:
        Local().executor(tmp_path, "jobs")
    assert "pip install" in error.value.hint
