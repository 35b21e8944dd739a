"""Metrics of a run: `metrics.jsonl`, and TensorBoard files if TensorBoard is installed."""

import importlib.util
import json
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from lowlabel.errors import DataError
from lowlabel.paths import write_file
from lowlabel.reading import reading

FILE_NAME = "metrics.jsonl"


class MetricsLog:
    """Appends metrics to `metrics.jsonl`, one JSON object per line.

    Args:
        folder: Folder of `metrics.jsonl`; None to write nothing.
        step: Step to resume from. Later lines, written after the last checkpoint of a killed run,
            are dropped.
    """

    def __init__(self, folder: Path | None, step: int) -> None:
        self._file: IO[str] | None = None
        self._board: Any = None
        if folder is not None:
            path = folder / FILE_NAME
            _keep_until(path, step)
            with _written(path):
                self._file = path.open("a", encoding="utf-8")
            self._board = _tensorboard(folder, step)

    def write(self, step: int, values: dict[str, Any]) -> None:
        """Writes the values of a step.

        Raises:
            DataError: If the file cannot be written, for example to a full disk.
        """
        if self._file is None:
            return
        with _written(self._file.name):
            try:
                self._file.write(json.dumps({"step": step, **values}) + "\n")
                self._file.flush()
            except OSError:
                with suppress(OSError):  # which tries the same line again
                    self._file.close()
                raise
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(name, value, step)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()
        if self._board is not None:
            self._board.close()


class RunningMeans:
    """Means of logged values over steps, and images per second.

    Args:
        images: Images in a step.
    """

    def __init__(self, images: int) -> None:
        self._images = images
        self._sums: dict[str, float] = {}
        self._steps = 0
        self._since = time.monotonic()

    def add(self, values: Mapping[str, float]) -> None:
        """Adds the values of a step."""
        self._steps += 1
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + value

    def take(self) -> dict[str, float]:
        """Returns the means since the last call, and resets them."""
        means = {name: value / self._steps for name, value in self._sums.items()}
        now = time.monotonic()
        means["images_per_second"] = self._steps * self._images / max(now - self._since, 1e-9)
        self._sums, self._steps, self._since = {}, 0, now
        return means


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """Reads a run's `metrics.jsonl`; an incomplete last line is ignored.

    Lines that are damaged are left out, and counted in a warning: they hold no state of the run.
    """
    path = folder / FILE_NAME
    if not path.is_file():
        return []
    with reading(path):
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    entries = [_entry(line) for line in lines[:-1]]
    if damaged := entries.count(None):
        warnings.warn(
            f"{damaged:,} of {len(entries):,} lines of {path} are damaged, and left out",
            stacklevel=2,
        )
    return [entry for entry in entries if entry is not None]


def _entry(line: str) -> dict[str, Any] | None:
    """The values of a line; None if it is damaged."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) and type(entry.get("step")) is int else None


def _keep_until(path: Path, step: int) -> None:
    if not path.is_file():
        return
    kept = [entry for entry in read_metrics(path.parent) if entry["step"] <= step]
    write_file(path, "".join(json.dumps(entry) + "\n" for entry in kept))


@contextmanager
def _written(path: Path | str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(
            f"cannot write {path}: {error.strerror or error}",
            "Make room. The same command then resumes at the last checkpoint.",
        ) from error


def _tensorboard(folder: Path, step: int) -> Any:
    if importlib.util.find_spec("tensorboard") is None:
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder / "tensorboard"), purge_step=step)
