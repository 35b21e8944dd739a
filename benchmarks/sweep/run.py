"""Submits the jobs of a sweep that have no scores yet, and gathers what the others left."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lowlabel.benchmarks.runner import Run
from lowlabel.benchmarks.sweep.jobs import SweepJob
from lowlabel.benchmarks.sweep.state import (
    DONE,
    FAILED,
    FOLDER,
    RUNNING,
    Submission,
    forget,
    job_state,
    submission_path,
)
from lowlabel.benchmarks.sweep.work import MakeWatch, SweepRun
from lowlabel.errors import DataError, UserError
from lowlabel.paths import writable_dir
from lowlabel.processes.launchers import Launcher
from lowlabel.progress import progress_bar
from lowlabel.results import load_record

_POLL_S = 0.2
_REPEAT = "The same command runs it again, and what is missing besides."


@dataclass
class Sweep:
    """What a sweep came to.

    Attributes:
        run: The records, notes and failures of the jobs that ended.
        done: Jobs that had ended before.
        started: Jobs that were started, each with its number and log.
        running: Jobs that an earlier command submitted and that wait or run.
        again: Jobs that had failed and were started again, with the log of the failure.
    """

    run: Run = field(default_factory=Run)
    done: list[SweepJob] = field(default_factory=list)
    started: list[tuple[SweepJob, Submission]] = field(default_factory=list)
    running: list[tuple[SweepJob, Submission]] = field(default_factory=list)
    again: list[tuple[SweepJob, str]] = field(default_factory=list)


def run_sweep(
    jobs: Sequence[SweepJob],
    launcher: Launcher,
    output: Path,
    make_watch: MakeWatch | None = None,
) -> Sweep:
    """Starts the jobs that are not done, and waits for them if the launcher does.

    Args:
        jobs: The jobs.
        launcher: What starts them.
        output: Results folder; what is kept of jobs is in its folder `jobs`.
        make_watch: Makes what is called after every score.

    Raises:
        UserError: If the launcher cannot be used.
        KeyboardInterrupt: After the jobs on this computer were told to stop.
    """
    sweep, folder, wanted = Sweep(), writable_dir(output / FOLDER), []
    for job in jobs:
        state = job_state(job)
        if state.kind == DONE:
            sweep.done.append(job)
        elif state.kind == RUNNING and state.submission:
            sweep.running.append((job, state.submission))
        else:
            wanted.append(job)
            if state.kind == FAILED:
                sweep.again.append((job, state.log))
    if wanted:
        executor = launcher.executor(folder / "logs", "lowlabel-run")
        start = _one_by_one if launcher.waits else _at_once
        try:
            for job, submitted in start(executor, wanted, launcher, make_watch):
                sweep.started.append((job, _submission(launcher, submitted)))
        except OSError as error:  # of submitit, which writes each job there, without its name
            raise DataError(
                f"cannot write a job to {folder / 'logs'}: {error.strerror or error}",
                "Make room, or choose another --output; then run the same command again.",
            ) from error
    ended = [*sweep.done, *(job for job, _ in sweep.started)] if launcher.waits else sweep.done
    for job in ended:
        _gather(job, sweep.run, output)
    return sweep


def _at_once(
    executor: Any, jobs: Sequence[SweepJob], launcher: Launcher, make_watch: MakeWatch | None
) -> Iterator[tuple[SweepJob, Any]]:
    """Submits all jobs as one array."""
    for job in jobs:
        forget(job)
    with executor.batch():
        submitted = [executor.submit(SweepRun(job, make_watch)) for job in jobs]
    for job, each in zip(jobs, submitted, strict=True):
        _submission(launcher, each).save(submission_path(job))
        yield job, each


def _one_by_one(
    executor: Any, jobs: Sequence[SweepJob], launcher: Launcher, make_watch: MakeWatch | None
) -> Iterator[tuple[SweepJob, Any]]:
    """Runs as many jobs at a time as the launcher says, and yields each when it has ended."""
    waiting, running = list(jobs), list[tuple[SweepJob, Any]]()
    try:
        with progress_bar("sweep", "job") as progress:
            while waiting or running:
                progress(len(jobs) - len(waiting) - len(running), len(jobs))
                while waiting and len(running) < max(1, launcher.jobs):
                    job = waiting.pop(0)
                    forget(job)
                    running.append((job, executor.submit(SweepRun(job, make_watch))))
                    _submission(launcher, running[-1][1]).save(submission_path(job))
                time.sleep(_POLL_S)
                ended = [each for each in running if each[1].done()]
                running = [each for each in running if each not in ended]
                yield from ended
            progress(len(jobs), len(jobs))
    finally:
        for _, submitted in running:
            submitted.cancel()


def _submission(launcher: Launcher, submitted: Any) -> Submission:
    return Submission(launcher.name, str(submitted.job_id), str(submitted.paths.stderr))


def _gather(job: SweepJob, run: Run, output: Path) -> None:
    """Adds what a job left to a run; a job that left nothing is a failure."""
    state = job_state(job)
    if state.outcome is None:
        run.fail(UserError(f"{job.title} stopped; its log is {state.log}", _REPEAT))
        return
    run.records += [load_record(output / "records" / name) for name in state.outcome.records]
    run.left_out += state.outcome.left_out
    for message, hint in state.outcome.failures:
        run.fail(UserError(f"{job.title}: {message}\nits log is {state.log}", hint))
