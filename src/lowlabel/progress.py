"""Progress of long work: a bar with a rate on a terminal, a line now and then elsewhere."""

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from tqdm import tqdm

_SECONDS_BETWEEN_LINES = 15.0
_INTERRUPTED = threading.Event()

Progress = Callable[[int, int], object]  # called with (done, total)


@contextmanager
def interruptible() -> Iterator[None]:
    """Makes sure that Ctrl-C ends the block.

    Python drops a KeyboardInterrupt that falls into a destructor or a weak reference's callback,
    with a traceback; the next sign of progress then raises it again, and the traceback is spared.
    """

    def note(number: int, frame: FrameType | None) -> None:
        _INTERRUPTED.set()
        raise KeyboardInterrupt

    def tell(dropped: "sys.UnraisableHookArgs") -> None:
        if not issubclass(dropped.exc_type, KeyboardInterrupt):
            told(dropped)

    previous, told = signal.signal(signal.SIGINT, note), sys.unraisablehook
    sys.unraisablehook = tell
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
        sys.unraisablehook = told
        _INTERRUPTED.clear()


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
                _raise_if_interrupted()
                bar.total = total
                bar.update(done - bar.n)

            yield draw
    else:
        yield _line_logger(title, unit)


def _line_logger(title: str, unit: str) -> Progress:
    started = last = time.monotonic()
    first: int | None = None

    def log(done: int, total: int) -> None:
        nonlocal last, first
        _raise_if_interrupted()
        now = time.monotonic()
        first = done if first is None else first
        if now - last >= _SECONDS_BETWEEN_LINES:
            last = now
            pace = _pace((now - started) / (done - first), total - done) if done > first else ""
            print(f"{title}: {done:,}/{total:,} {unit}{pace}", file=sys.stderr, flush=True)

    return log


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


def _raise_if_interrupted() -> None:
    if _INTERRUPTED.is_set():
        raise KeyboardInterrupt
