import pickle
from types import SimpleNamespace

import pytest
import submitit

from lowlabel.errors import UserError
from lowlabel.processes.launchers import Local, Slurm
from lowlabel.training import RunOptions
from lowlabel.training.submitted import submit


class Executor:
    """Keeps what is submitted, as submitit pickles it."""

    def __init__(self, error=None):
        self.error, self.run = error, None

    def submit(self, run):
        self.run = pickle.loads(pickle.dumps(run))
        return SimpleNamespace(
            job_id="17",
            paths=SimpleNamespace(stderr="17.err"),
            wait=lambda: None,
            exception=lambda: self.error,
        )


def test_the_job_trains_and_resumes_when_slurm_ends_it(plan, tmp_path, monkeypatch):
    executor, made = Executor(), []
    monkeypatch.setattr(Slurm, "executor", lambda self, *texts: made.append(texts) or executor)
    text = submit(Slurm(gpus=4), plan, RunOptions(tmp_path, workers=0), "cpu")
    assert text == "job 17; its log is 17.err"
    assert made == [(tmp_path / "jobs", "lowlabel-dino")]
    alone = SimpleNamespace(
        TorchDistributedEnvironment=lambda: SimpleNamespace(export=lambda: None),
        DelayedSubmission=lambda run: ("again", run),
    )
    monkeypatch.setattr(submitit, "helpers", alone)
    executor.run()
    assert (tmp_path / "backbone.safetensors").is_file()
    assert executor.run.checkpoint() == ("again", executor.run)


def test_a_local_job_is_waited_for_and_its_failure_is_said(plan, tmp_path, monkeypatch):
    options = RunOptions(tmp_path, workers=0)
    monkeypatch.setattr(Local, "executor", lambda *texts: Executor())
    assert submit(Local(), plan, options, "cpu").startswith("job 17 has ended")
    monkeypatch.setattr(Local, "executor", lambda *texts: Executor(ValueError("no memory")))
    with pytest.raises(UserError, match=r"job 17 failed; its log is 17\.err"):
        submit(Local(), plan, options, "cpu")
