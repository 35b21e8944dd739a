"""What a job of a sweep does, in a process of its own."""

import sys
from collections.abc import Callable
from dataclasses import replace

from lowlabel.benchmarks.embedding import extract_plan
from lowlabel.benchmarks.plan import Plan, make_plan
from lowlabel.benchmarks.request import Request
from lowlabel.benchmarks.runner import Watch, run_plan
from lowlabel.benchmarks.sweep.jobs import SweepJob, sweep_jobs
from lowlabel.benchmarks.sweep.state import Outcome, outcome_path
from lowlabel.errors import UserError
from lowlabel.paths import writable_dir
from lowlabel.processes.team import TeamError, join_team
from lowlabel.processes.torchrun import will_be_main
from lowlabel.processes.world import process_device
from lowlabel.results import record_path

MakeWatch = Callable[[Request], Watch]


class SweepRun:
    """The callable of each process of a job; submitit pickles it.

    Args:
        job: What to score.
        make_watch: Makes what is called after every score.
    """

    def __init__(self, job: SweepJob, make_watch: MakeWatch | None = None) -> None:
        self._request, self._dataset, self._path = job.request, job.dataset, outcome_path(job)
        self._make_watch = make_watch

    def __call__(self) -> None:
        """Extracts together with the job's other processes; the first scores.

        What the user can fix is part of the outcome. Anything else ends the process, and is in
        its log.
        """
        import submitit

        submitit.helpers.TorchDistributedEnvironment().export()
        try:
            outcome = self._run()
        except TeamError:
            raise
        except UserError as error:
            outcome = Outcome(failures=[[error.message, error.hint]])
        if outcome and will_be_main():
            for message, hint in outcome.failures:
                print(f"error: {message}\n{hint}", file=sys.stderr, flush=True)
            writable_dir(self._path.parent)
            outcome.save(self._path)

    def _run(self) -> Outcome | None:
        """The outcome in the first process; None in the others."""
        device = str(process_device(self._request.backbone.device))
        request = replace(self._request, backbone=replace(self._request.backbone, device=device))
        plan = _of_dataset(make_plan(request), self._dataset)
        with join_team() as team:
            if team:
                extract_plan(plan, request, team)
        if team and not team.is_main:
            return None
        run = run_plan(plan, request, self._make_watch and self._make_watch(request))
        paths = [record_path(request.output / "records", each.experiment) for each in run.records]
        (job,) = sweep_jobs(plan, self._request)
        return Outcome(
            job.fingerprint(),
            sorted({path.name for path in paths}),
            run.left_out,
            [[failure.message, failure.hint] for failure in run.failures],
        )

    def checkpoint(self, *_: object) -> object:
        """Returns the submission that goes on; submitit calls it if Slurm ends the job early."""
        import submitit

        return submitit.helpers.DelayedSubmission(self)


def _of_dataset(plan: Plan, dataset: str) -> Plan:
    return replace(plan, jobs=tuple(job for job in plan.jobs if job.dataset == dataset))
