"""Pretraining as a job of a launcher."""

from lowlabel.errors import UserError
from lowlabel.processes.launchers import Launcher
from lowlabel.training.engine.options import RunOptions
from lowlabel.training.plan import TrainingPlan
from lowlabel.training.run import pretrain


def submit(launcher: Launcher, plan: TrainingPlan, options: RunOptions, device: str) -> str:
    """Submits a run. A job that Slurm ends early is submitted again and resumes.

    Returns:
        A message with the job's id and its log.

    Raises:
        UserError: If the launcher cannot be used, or the job failed while it was waited for.
    """
    executor = launcher.executor(options.output / "jobs", f"lowlabel-{plan.recipe.method}")
    job = executor.submit(SubmittedRun(plan, options, device))
    log = job.paths.stderr
    if not launcher.waits:
        return f"job {job.job_id}; its log is {log}"
    try:
        job.wait()
    except KeyboardInterrupt:
        job.cancel()
        raise
    if job.exception() is not None:
        raise UserError(f"job {job.job_id} failed; its log is {log}", "Its last lines say why.")
    return f"job {job.job_id} has ended; its log is {log}"


class SubmittedRun:
    """The callable of each process of the job; submitit pickles it.

    Args:
        plan: What to train.
        options: How to run it.
        device: Device to compute on.
    """

    def __init__(self, plan: TrainingPlan, options: RunOptions, device: str) -> None:
        self._plan, self._options, self._device = plan, options, device

    def __call__(self) -> None:
        """Joins the job's other processes and trains."""
        import submitit

        submitit.helpers.TorchDistributedEnvironment().export()
        pretrain(self._plan, self._options, self._device)

    def checkpoint(self, *_: object) -> object:
        """Returns the submission that resumes this run; submitit calls it if the job is ended."""
        import submitit

        return submitit.helpers.DelayedSubmission(self)
