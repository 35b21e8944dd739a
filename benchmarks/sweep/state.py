"""What became of a sweep's jobs, in files beside the records: what was submitted, and its end."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from tabulate import tabulate

from lowlabel.benchmarks.sweep.jobs import SweepJob
from lowlabel.paths import write_file
from lowlabel.processes.launchers import LAUNCHERS
from lowlabel.reading import reading

FOLDER = "jobs"  # in the results folder
DONE, RUNNING, FAILED, MISSING = "done", "running", "failed", "missing"


@dataclass(frozen=True)
class _Kept:
    """What is kept of a job, in a file of its own."""

    def save(self, path: Path) -> None:
        """Writes it."""
        write_file(path, json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads it; a `DataError` if the file is damaged."""
        with reading(path, fix=f"Delete it, and the job runs again: rm '{path}'"):
            return cls(**json.loads(path.read_text(encoding="utf-8")))


@dataclass(frozen=True)
class Outcome(_Kept):
    """The end of a job.

    Attributes:
        fingerprint: Of the job, when it ended; None if it is never known.
        records: Names of the files of its records.
        left_out: What was left out, with reasons.
        failures: Message and hint of each error.
    """

    fingerprint: str | None = None
    records: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    failures: list[list[str]] = field(default_factory=list)


@dataclass(frozen=True)
class Submission(_Kept):
    """A job as it was submitted.

    Attributes:
        launcher: Name of the launcher.
        job: Its number there.
        log: Path of what it prints.
    """

    launcher: str
    job: str
    log: str


@dataclass(frozen=True)
class State:
    """What is known of a job.

    Attributes:
        kind: "done", "running", "failed", or "missing" if it never ran, or with other images,
            weights or options.
        outcome: Its end, if it came to one.
        submission: How it was last submitted, if it was.
    """

    kind: str
    outcome: Outcome | None = None
    submission: Submission | None = None

    @property
    def log(self) -> str:
        """Path of what it printed."""
        return self.submission.log if self.submission else ""


def outcome_path(job: SweepJob) -> Path:
    """Where a job leaves its end."""
    return job.request.output / FOLDER / f"{job.name}.json"


def submission_path(job: SweepJob) -> Path:
    """Where its submission is kept."""
    return outcome_path(job).with_suffix(".submitted.json")


def job_state(job: SweepJob) -> State:
    """Finds out what became of a job; a job that is to score again is missing."""
    submitted, ended = submission_path(job), outcome_path(job)
    submission = Submission.load(submitted) if submitted.exists() else None
    if submission and not ended.exists():
        known = LAUNCHERS.get(submission.launcher)
        running = known is not None and known().is_running(submission.job)
        return State(RUNNING if running else FAILED, submission=submission)
    if not ended.exists():
        return State(MISSING)
    outcome = Outcome.load(ended)
    if outcome.failures:
        return State(FAILED, outcome, submission)
    kind = MISSING if job.request.overwrite or not _is_current(job, outcome) else DONE
    return State(kind, outcome, submission)


def _is_current(job: SweepJob, outcome: Outcome) -> bool:
    """Whether all its records are there, and are those that it would make now."""
    folder = job.request.output / "records"
    if not all((folder / name).is_file() for name in outcome.records):
        return False
    return outcome.fingerprint is not None and outcome.fingerprint == job.fingerprint()


def describe_jobs(jobs: Sequence[SweepJob]) -> str:
    """A table of the jobs and what became of them."""
    rows = []
    for job in jobs:
        state = job_state(job)
        rows.append(
            {
                "suite": job.request.suite,
                "model": job.model,
                "dataset": job.dataset,
                "job": state.kind,
                "log": state.log,
            }
        )
    return tabulate(rows, headers="keys", tablefmt="simple")


def forget(job: SweepJob) -> None:
    """Deletes what an earlier run of a job left, before it runs again."""
    outcome_path(job).unlink(missing_ok=True)
    submission_path(job).unlink(missing_ok=True)
