"""Processes of torchrun that share work which the first of them leads."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch.distributed as dist

from lowlabel.errors import DataError, UserError
from lowlabel.processes.torchrun import planned_processes

T = TypeVar("T")

_PATIENCE = timedelta(days=30)  # a process that died is noticed at once, a slow one is waited for


class TeamError(UserError):
    """Another process of the team ended, or sees other data: nothing can be shared any more."""


@dataclass(frozen=True)
class Team:
    """This process among those that share an extraction; they talk through gloo on CPUs.

    Attributes:
        rank: Rank of this process; rank 0 leads and writes the files.
        size: Number of processes.
        group: Their process group.
    """

    rank: int
    size: int
    group: dist.ProcessGroup

    @property
    def is_main(self) -> bool:
        """Whether this process leads."""
        return self.rank == 0

    @property
    def others(self) -> range:
        """Ranks of the processes that follow."""
        return range(1, self.size)

    def send(self, value: object, to: int) -> None:
        """Sends a value that can be pickled, and waits until it is taken."""
        with self._connected():
            dist.send_object_list([value], to, self.group)

    def receive(self, source: int) -> Any:
        """Waits for the next value of a process."""
        values = [None]
        with self._connected():
            dist.recv_object_list(values, source, self.group)
        return values[0]

    def gather(self, value: T) -> list[T]:
        """The values of all processes, by rank."""
        values: list[Any] = [None] * self.size
        with self._connected():
            dist.all_gather_object(values, value, self.group)
        return values

    def agreed(self, make: Callable[[], T], *, main_first: bool = False) -> T:
        """Calls a function in every process, and raises in all what it raises in one.

        Args:
            make: The function.
            main_first: Call it in the first process before it is called in the others, so that
                they find what it keeps.

        Raises:
            UserError: The error of the process with the lowest rank.
        """
        result, error = None, None
        if main_first and not self.is_main:
            self._raise_any(None)
        try:
            result = make()
        except TeamError:
            raise
        except UserError as raised:
            error = raised
        if main_first and self.is_main:
            self._raise_any(error)
        self._raise_any(error)
        return result  # type: ignore[return-value]

    def _raise_any(self, error: UserError | None) -> None:
        """Raises the error of this process, else the first of the others."""
        problems = self.gather((error.message, error.hint) if error else None)
        if error:
            raise error
        for problem in filter(None, problems):
            raise DataError(*problem)

    def check_same(self, value: str, what: str) -> None:
        """Raises a `TeamError` in every process unless all have the same value."""
        if len(set(self.gather(value))) > 1:
            raise TeamError(
                f"the {self.size} processes do not have the same {what}",
                "Give all of them the same files and LOWLABEL_HOME, on every node.",
            )

    @contextmanager
    def _connected(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:  # of gloo, whose errors have no type of their own
            raise TeamError(
                f"process {self.rank} of {self.size} stops, since another process of the run ended",
                "Its own message or torchrun's says why. The same command resumes where it was, "
                "with any number of processes.",
            ) from error


@contextmanager
def join_team() -> Iterator[Team | None]:
    """Joins the processes that torchrun started; None without torchrun.

    Raises:
        TeamError: If they do not find each other.
    """
    if planned_processes() == 1:
        yield None
        return
    try:
        dist.init_process_group("gloo")
        group = dist.new_group(backend="gloo", timeout=_PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise TeamError(
            f"the {planned_processes()} processes do not find each other: {error}",
            "Start them by torchrun, which sets MASTER_ADDR and MASTER_PORT.",
        ) from error
    assert isinstance(group, dist.ProcessGroup)
    try:
        yield Team(dist.get_rank(), dist.get_world_size(), group)
    finally:
        dist.destroy_process_group()
