"""Where work runs that is no part of this process: jobs on this computer or of Slurm (submitit)."""

import importlib.util
import subprocess
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from lowlabel.errors import InputError, UnknownNameError, UserError
from lowlabel.specs import Configurable, parse_spec


@dataclass(frozen=True)
class Launcher(Configurable):
    """What starts jobs; a job is one process for each of its GPUs, or a single one.

    Attributes:
        gpus: GPUs of a job on each of its nodes; 0 for none.
        hours: Longest time of a job.
        jobs: Jobs of a sweep that run at once; 0 for as many as the cluster lets.
    """

    gpus: int = 1
    hours: int = 24
    jobs: int = 0

    waits: ClassVar[bool] = False  # whether the command that starts jobs lives until they end

    def __post_init__(self) -> None:
        for option, value in self.options.items():
            least = 0 if option in ("gpus", "jobs", "memory_gb") else 1
            if option != "partition" and (not isinstance(value, int) or value < least):
                raise InputError(
                    f"{option} of launcher {self.name} must be an integer of at least {least}, "
                    f"not {value}"
                )

    def executor(self, folder: Path, name: str) -> Any:
        """An executor of submitit.

        Args:
            folder: Folder of what submitit keeps of its jobs, their logs among it.
            name: Name of the jobs.

        Raises:
            UserError: If submitit is not installed, or there is no Slurm.
        """
        if importlib.util.find_spec("submitit") is None:
            raise UserError(
                f"--launcher {self.name} needs submitit, which is not installed",
                "pip install 'lowlabel[slurm]'",
            )
        import submitit

        try:
            executor = submitit.AutoExecutor(folder=folder, cluster=self.name)
        except RuntimeError as error:
            raise UserError(
                f"--launcher {self.name} cannot be used here: {error}",
                "Run the command where sbatch and srun are found, or use --launcher local.",
            ) from error
        executor.update_parameters(
            name=name,
            tasks_per_node=max(1, self.gpus),
            timeout_min=60 * self.hours,
            **({"gpus_per_node": self.gpus} if self.gpus else {}),
            **self._parameters(),
        )
        return executor

    @abstractmethod
    def _parameters(self) -> dict[str, Any]:
        """Further parameters of submitit."""

    @abstractmethod
    def is_running(self, job: str) -> bool:
        """Whether a job of another command waits or runs."""


@dataclass(frozen=True)
class Local(Launcher):
    """Processes on this computer; the command waits for them."""

    name = "local"
    waits = True
    jobs: int = 1

    def _parameters(self) -> dict[str, Any]:
        return {}

    def is_running(self, job: str) -> bool:
        """Never: what an interrupted command left is waited for by the locks of its files."""
        return False


@dataclass(frozen=True)
class Slurm(Launcher):
    """Jobs of Slurm; the command ends when they are submitted.

    Attributes:
        partition: The partition; empty for the cluster's default.
        nodes: Nodes of a job.
        cpus: CPU cores of each process.
        memory_gb: Memory of each node in GB; 0 for the cluster's default.
    """

    name = "slurm"
    partition: str = ""
    nodes: int = 1
    cpus: int = 10
    memory_gb: int = 0

    def _parameters(self) -> dict[str, Any]:
        parameters: dict[str, Any] = {"nodes": self.nodes, "cpus_per_task": self.cpus}
        if self.partition:
            parameters["slurm_partition"] = self.partition
        if self.memory_gb:
            parameters["mem_gb"] = self.memory_gb
        if self.jobs:
            parameters["slurm_array_parallelism"] = self.jobs
        return parameters

    def is_running(self, job: str) -> bool:
        """Whether squeue lists a job; accounting (sacct) is not needed."""
        command = ["squeue", "--noheader", "--format=%T", f"--jobs={job}"]
        try:
            found = subprocess.run(command, capture_output=True, text=True)
        except FileNotFoundError:
            return False
        return found.returncode == 0 and bool(found.stdout.strip())


LAUNCHERS: dict[str, type[Launcher]] = {kind.name: kind for kind in (Local, Slurm)}


def make_launcher(spec: str) -> Launcher:
    """Makes a launcher from `local[,jobs=2]` or `slurm[,partition=…,gpus=…,hours=…]`.

    Raises:
        UnknownNameError: If there is no such launcher.
        InputError: If it has no such option, or a value does not fit.
    """
    name, options = parse_spec(spec)
    if name not in LAUNCHERS:
        raise UnknownNameError("launcher", name, LAUNCHERS)
    return LAUNCHERS[name].from_options(options)
