"""What the jobs of a sweep leave, skip and repeat."""

import errno
import json
import os
import stat
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image
from processes import jobs_here

from lowlabel.benchmarks import Run, make_plan, run_plan
from lowlabel.benchmarks.sweep import describe_jobs, run_sweep, sweep_jobs
from lowlabel.benchmarks.sweep.state import job_state, outcome_path
from lowlabel.errors import DataError, InputError
from lowlabel.processes.launchers import Local, Slurm
from lowlabel.results import load_records


@pytest.fixture
def ran(monkeypatch):
    """Suite, model and dataset of every job that the local launcher started here."""
    started = []
    jobs_here(started, monkeypatch.setattr)
    return started


@pytest.fixture
def planned(request_of, draw_birds, clock):
    """Makes the jobs of two models in two suites, anew; images are older than their hashes."""
    dataset = draw_birds(8, 8)

    def make(**fields):
        requests = [
            request_of(suite, dataset, model=("pixels", "random:resnet10t"), **fields)
            for suite in ("retrieval", "knn")
        ]
        return [job for each in requests for job in sweep_jobs(make_plan(each), each)]

    return make


def sweep(jobs):
    return run_sweep(jobs, Local(), jobs[0].request.output)


@pytest.mark.slow
def test_a_sweep_has_the_scores_of_one_process_and_is_not_repeated(planned, ran):
    jobs = planned()
    assert len({job.name for job in jobs}) == len(jobs) == 4
    found = sweep(jobs)
    assert not found.run.failures
    assert len(ran) == 4
    alone = Run()
    for suite in ("retrieval", "knn"):
        (request, *_) = (job.request for job in jobs if job.request.suite == suite)
        output = request.output.parent / "alone"
        for model in ("pixels", "random:resnet10t"):
            own = SimpleNamespace(**vars(request) | {"model": (model,), "output": output})
            request_of_model = type(request)(**vars(own))
            alone.add(run_plan(make_plan(request_of_model), request_of_model))
    scores = {record.experiment.identity(): record.scores for record in alone.records}
    assert {r.experiment.identity(): r.scores for r in found.run.records} == scores
    assert len(load_records(jobs[0].request.output)) == len(scores)
    again = sweep(planned())
    assert len(ran) == 4
    assert len(again.done) == 4
    assert {r.experiment.identity(): r.scores for r in again.run.records} == scores
    assert [job_state(job).kind for job in planned(overwrite=True)] == ["missing"] * 4


@pytest.mark.slow
def test_a_job_runs_again_if_a_record_an_image_or_an_option_is_another(planned, ran, clock):
    jobs = planned()
    found = sweep(jobs)
    output = jobs[0].request.output
    (record,) = [
        path
        for path in (output / "records").glob("*.json")
        if path.name in json.loads(outcome_path(jobs[0]).read_text())["records"]
        and "retrieval" in path.name
    ]
    record.unlink()
    ran.clear()
    sweep(planned())
    assert ran == [("retrieval", "pixels", jobs[0].dataset)]
    assert record.exists()
    folder = jobs[0].dataset.removeprefix("folder:")
    Image.new("RGB", (8, 8)).save(f"{folder}/test/crow/0.png")
    assert describe_jobs(planned()).count("missing") == 4
    assert {job.name for job in planned(settings=())} == {job.name for job in jobs}
    others = {job.name for job in planned(min_images=2)}
    assert not others & {job.name for job in jobs}
    assert found.run.records


@pytest.mark.slow
def test_a_failed_job_is_listed_with_its_log_and_runs_again_alone(planned, ran, monkeypatch, clock):
    jobs = planned()
    folder = jobs[0].dataset.removeprefix("folder:")
    bad = Path(folder) / "test" / "crow" / "0.png"
    whole = bad.read_bytes()
    bad.write_bytes(b"no image")
    found = sweep(jobs)
    assert len(found.run.failures) == 4
    for job, failure in zip(jobs, found.run.failures, strict=True):
        assert f"{job.title}: 1 of " in failure.message
        assert f"its log is {job_state(job).log}" in failure.message
    bad.write_bytes(whole)
    with monkeypatch.context() as patch:
        patch.setattr("lowlabel.benchmarks.sweep.work.run_plan", crash_with("resnet10t"))
        found = sweep(planned())
    assert [job.title for job, _ in found.again] == [job.title for job in jobs]
    assert [str(failure).split(" stopped")[0] for failure in found.run.failures] == [
        job.title for job in jobs if job.model != "pixels"
    ]
    kinds = [job_state(job).kind for job in planned()]
    assert kinds == ["done", "failed", "done", "failed"]
    ran.clear()
    found = sweep(planned())
    assert ran == [(s, "random:resnet10t", jobs[0].dataset) for s in ("retrieval", "knn")]
    assert not found.run.failures


def crash_with(name):
    """A `run_plan` that ends the job of a model as a defect does."""

    def run(plan, request, watch=None):
        if name in request.model[0]:
            raise RuntimeError("out of memory")
        return run_plan(plan, request, watch)

    return run


@pytest.mark.slow
def test_jobs_of_the_local_executor_end_and_one_that_dies_is_said(planned, monkeypatch):
    """In real processes, side by side; the second aborts in place of its work."""
    jobs, executor = planned()[:2], Local.executor
    started = []

    class Aborting:
        def __init__(self, inner):
            self.inner = inner

        def submit(self, run):
            started.append(run)
            return self.inner.submit(os.abort if len(started) == 2 else run)

    monkeypatch.setattr(Local, "executor", lambda *texts: Aborting(executor(*texts)))
    found = run_sweep(jobs, Local(jobs=2), jobs[0].request.output)
    (failure,) = found.run.failures
    assert failure.message == f"{jobs[1].title} stopped; its log is {job_state(jobs[1]).log}"
    assert Path(job_state(jobs[1]).log).exists()
    assert found.run.records
    assert [job_state(job).kind for job in jobs] == ["done", "failed"]


def test_jobs_that_slurm_lists_are_not_submitted_again(planned, tmp_path, monkeypatch):
    """A squeue that lists job 7_0 alone."""
    jobs = planned()[:2]
    submitted = []

    class Executor:
        def batch(self):
            return nullcontext()

        def submit(self, run):
            submitted.append(run)
            log = SimpleNamespace(stderr=tmp_path / f"{len(submitted)}.err")
            return SimpleNamespace(job_id=f"7_{len(submitted) - 1}", paths=log)

    monkeypatch.setattr(Slurm, "executor", lambda *texts: Executor())
    squeue = tmp_path / "bin" / "squeue"
    squeue.parent.mkdir()
    squeue.write_text('#!/bin/sh\ncase "$*" in *=7_0) echo RUNNING;; *) exit 1;; esac\n')
    squeue.chmod(squeue.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", f"{squeue.parent}:{os.environ['PATH']}")
    output = jobs[0].request.output
    assert len(run_sweep(jobs, Slurm(), output).started) == len(submitted) == 2
    found = run_sweep(jobs, Slurm(), output)
    assert [(job.title, each.job) for job, each in found.running] == [(jobs[0].title, "7_0")]
    assert [job.title for job, _ in found.again] == [jobs[1].title]
    assert len(submitted) == 3


def test_a_disk_that_is_full_when_a_job_starts_is_named(planned, monkeypatch):
    class Full:
        def submit(self, run):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # as of a pickle, without a name

    monkeypatch.setattr(Local, "executor", lambda *texts: Full())
    with pytest.raises(DataError, match=r"cannot write a job to .*logs: No space left"):
        sweep(planned()[:1])


def test_embeddings_made_elsewhere_are_no_sweep(request_of, feature_file):
    request = request_of("retrieval", features=feature_file)
    with pytest.raises(InputError, match="--launcher does not go with it"):
        sweep_jobs(make_plan(request), request)
