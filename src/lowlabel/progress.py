"""Progress of long work: a bar with a rate on a terminal, a line now and then elsewhere."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

from lowlabel.processes.interrupts import raise_if_interrupted

_FIRST_LINE_S = 1.5
_WAITS_S = (3.0, 6.0, 15.0)  # between lines, the last for all that follow

Progress = Callable[[int, int], object]  # called with (done, total)


def share_of(progress: Progress | None, before: int, total: int) -> Progress | None:
    """Progress of one part of the work, of which `before` of `total` are done before it."""
    return progress and (lambda done, _: progress(before + done, total))


@contextmanager
def progress_bar(title: str, unit: str, *, delay: float = 0.0) -> Iterator[Progress]:
    """Gives a callback that is told (done, total) and shows it on standard error.

    Args:
        title: What is being done.
        unit: What is counted: "img", "task".
        delay: Seconds before a bar appears, for work that is often short.
    """
    if sys.stderr.isatty():
        with tqdm(desc=title, unit=unit, leave=False, dynamic_ncols=True, delay=delay) as bar:

            def draw(done: int, total: int) -> None:
                raise_if_interrupted()
                if bar.total is None:  # what was done before is no part of the rate
                    bar.initial = bar.n = done
                bar.total = total
                bar.update(done - bar.n)

            yield draw
    else:
        lines = _Lines(title, unit)
        first = threading.Timer(_FIRST_LINE_S, lines.begin)
        first.daemon = True
        first.start()
        try:
            yield lines.log
        finally:
            first.cancel()


class _Lines:
    """Lines on standard error: the first within two seconds, then fewer and fewer.

    The first comes from a timer, since work may take long before it counts anything.
    """

    def __init__(self, title: str, unit: str) -> None:
        self.title, self.unit = title, unit
        self.started = self.last = time.monotonic()
        self.first = self.done = self.total = -1
        self.waits = iter((_FIRST_LINE_S, *_WAITS_S))
        self.wait = next(self.waits)

    def begin(self) -> None:
        """Prints the first line, unless there is one."""
        if self.last == self.started:
            self._print(time.monotonic())

    def log(self, done: int, total: int) -> None:
        """Notes the progress, and prints a line if the last one is some time ago."""
        raise_if_interrupted()
        now = time.monotonic()
        self.done, self.total = done, total
        self.first = done if self.first < 0 else self.first
        if now - self.last >= self.wait:
            self._print(now)

    def _print(self, now: float) -> None:
        self.last, self.wait = now, next(self.waits, self.wait)
        line, more = f"{self.title} …", self.done - self.first
        if self.total >= 0:
            pace = _pace((now - self.started) / more, self.total - self.done) if more else ""
            line = f"{self.title}: {self.done:,}/{self.total:,} {self.unit}{pace}"
        print(line, file=sys.stderr, flush=True)


def _pace(seconds: float, left: int) -> str:
    """Such as ", 12/s, 3 min left", from the seconds of one."""
    rate = f"{1 / seconds:,.0f}/s" if seconds < 0.6 else f"{format_duration(seconds)} each"
    return f", {rate}, {format_duration(seconds * left)} left" if left else f", {rate}"


def format_duration(seconds: float) -> str:
    """Such as "2.5 s", "40 s", "3 min", "1 h 20 min"."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours:,} h {rest} min" if rest and hours < 10 else f"{round(minutes / 60):,} h"
