"""Pretraining as a Slurm job, through submitit."""

import importlib.util
from collections.abc import Mapping
from typing import Any

from lowlabel.errors import InputError, UnknownNameError, UserError
from lowlabel.specs import Option, parse_spec
from lowlabel.training.engine.options import RunOptions
from lowlabel.training.plan import TrainingPlan
from lowlabel.training.run import pretrain

_DEFAULTS: dict[str, Option] = {
    "partition": "",
    "gpus": 1,
    "nodes": 1,
    "hours": 24,
    "cpus_per_gpu": 10,
    "memory_gb": 0,
}


def slurm_parameters(spec: str) -> dict[str, Any]:
    """Converts `partition=…,gpus=…,nodes=…,hours=…` to submitit's parameters.

    Args:
        spec: `partition`, `gpus` (per node), `nodes`, `hours`, `cpus_per_gpu`, `memory_gb`.

    Raises:
        UnknownNameError: If there is no such option.
        InputError: If a number is not an integer of at least 1.
    """
    options = {**_DEFAULTS, **_checked(parse_spec(f"slurm,{spec}")[1])}
    parameters = {
        "nodes": options["nodes"],
        "gpus_per_node": options["gpus"],
        "tasks_per_node": options["gpus"],
        "cpus_per_task": options["cpus_per_gpu"],
        "timeout_min": 60 * int(options["hours"]),  # type: ignore[arg-type]
    }
    if options["partition"]:
        parameters["slurm_partition"] = options["partition"]
    if options["memory_gb"]:
        parameters["mem_gb"] = options["memory_gb"]
    return parameters


def submit(spec: str, plan: TrainingPlan, options: RunOptions) -> str:
    """Submits a run. A job that Slurm ends early is submitted again and resumes.

    Returns:
        A message with the job's id and the folder of its logs.

    Raises:
        UserError: If submitit is not installed.
    """
    parameters = slurm_parameters(spec)
    if importlib.util.find_spec("submitit") is None:
        raise UserError(
            "--slurm needs submitit, which is not installed", "pip install 'lowlabel[slurm]'"
        )
    import submitit

    folder = options.output / "slurm"
    executor = submitit.AutoExecutor(folder=folder)
    executor.update_parameters(name=f"lowlabel-{plan.recipe.method}", **parameters)
    job = executor.submit(SlurmRun(plan, options))
    return f"job {job.job_id}; its logs are in {folder}"


class SlurmRun:
    """The callable of each process of the job; submitit pickles it.

    Args:
        plan: What to train.
        options: How to run it.
    """

    def __init__(self, plan: TrainingPlan, options: RunOptions) -> None:
        self._plan, self._options = plan, options

    def __call__(self) -> None:
        """Joins the job's other processes and trains."""
        import submitit

        submitit.helpers.TorchDistributedEnvironment().export()
        pretrain(self._plan, self._options)

    def checkpoint(self, *_: object) -> object:
        """Returns the submission that resumes this run; submitit calls it if the job is ended."""
        import submitit

        return submitit.helpers.DelayedSubmission(self)


def _checked(options: Mapping[str, Option]) -> Mapping[str, Option]:
    for name, value in options.items():
        if name not in _DEFAULTS:
            raise UnknownNameError("Slurm option", name, _DEFAULTS)
        if name != "partition" and (not isinstance(value, int) or value < 1):
            raise InputError(f"--slurm {name} must be an integer of at least 1, not {value}")
    return options
