"""Work in a process beside this one, which goes on."""

import multiprocessing
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lowlabel.errors import UserError
from lowlabel.processes.interrupts import end_with, interruptible


@contextmanager
def beside(work: Callable[[], None]) -> Iterator[None]:
    """Does work in a forked process while the block runs, at whose end it is told to stop.

    Nobody learns whether it succeeds: it is work that the block does itself if it finds it undone.
    Off Linux, where forking is not safe, nothing is done.

    Args:
        work: What is done. It may use neither torch nor threads.
    """
    if not sys.platform.startswith("linux"):
        yield
        return
    process = multiprocessing.get_context("fork").Process(target=_do, args=(work, os.getpid()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads
        process.start()
    try:
        yield
    finally:
        process.terminate()
        process.join()


def _do(work: Callable[[], None], parent: int) -> None:
    """Works until a signal comes, or the process that it works for ends."""
    with interruptible(afterwards=signal.SIG_IGN) as interrupt:  # that of the parent, too
        try:
            if end_with(parent, signal.SIGTERM):
                work()
        except (UserError, OSError):  # the block meets and tells it
            pass
        except BaseException:  # such as the error of a process that the signal ended, too
            if not interrupt():
                raise
