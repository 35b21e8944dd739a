"""Work on all cores in copies of this process, for arithmetic that holds Python's lock."""

import multiprocessing
import os
import signal
import sys
import warnings
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

from lowlabel.processes.cores import usable_cores
from lowlabel.processes.interrupts import end_with

T = TypeVar("T")
R = TypeVar("R")


def map_forked(function: Callable[[T], R], items: Sequence[T]) -> Generator[R, None, None]:
    """Yields `function(item)` of every item, in order, from one process on each core.

    The processes are forked, so that they neither import anything nor run the user's script again;
    off Linux, where forking is not safe, and on a single core, this process does the work. The
    function may use neither torch nor threads. Closing the generator cancels what has not started.
    """
    workers = min(usable_cores(), len(items))
    if workers <= 1 or not sys.platform.startswith("linux"):
        yield from map(function, items)
        return
    context = multiprocessing.get_context("fork")
    executor = ProcessPoolExecutor(workers, context, _attach, (os.getpid(),))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads
            results = executor.map(function, items)
        yield from results
    finally:
        executor.shutdown(cancel_futures=True)


def _attach(parent: int) -> None:
    """Lets this process end with the one that it works for, which alone handles Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if not end_with(parent, signal.SIGKILL):
        os._exit(1)
