"""Signals that end a command: Ctrl-C, and those of a closed terminal or of a batch system."""

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
_PR_SET_PDEATHSIG = 1  # of prctl(2)
_received: list[int] = []
_deferrals = 0


@contextmanager
def interruptible(afterwards: signal.Handlers = signal.SIG_DFL) -> Iterator[Callable[[], int]]:
    """Lets SIGINT, SIGTERM and SIGHUP end the block by a KeyboardInterrupt.

    So temporary files are removed and processes that were started are ended. Python drops a
    KeyboardInterrupt that falls into a destructor or a weak reference's callback, with a traceback;
    the next sign of progress then raises it again, and the traceback is spared. A second signal
    ends the process at once, unless `afterwards` is SIG_IGN. Signals that are ignored, as by nohup,
    stay so.

    Yields:
        A function that returns the number of the signal that came; 0 for none.
    """
    if threading.current_thread() is not threading.main_thread():  # signals cannot be handled there
        yield lambda: 0
        return
    owner = os.getpid()
    handled = [each for each in _SIGNALS if signal.getsignal(each) != signal.SIG_IGN]

    def note(number: int, frame: FrameType | None) -> None:
        if os.getpid() != owner:  # a process that loads images, told by its terminal too
            os._exit(128 + number)
        _received.append(number)
        for each in handled:
            signal.signal(each, afterwards)
        if not _deferrals:
            raise KeyboardInterrupt

    def tell(dropped: "sys.UnraisableHookArgs") -> None:
        if not _received and not issubclass(dropped.exc_type, KeyboardInterrupt):
            told(dropped)  # else it may be that a process that was told to end, too, has ended

    previous, told = {each: signal.signal(each, note) for each in handled}, sys.unraisablehook
    sys.unraisablehook = tell
    try:
        yield lambda: _received[0] if _received else 0
    finally:
        for each, handler in previous.items():
            signal.signal(each, handler)
        sys.unraisablehook = told
        _received.clear()


def raise_if_interrupted() -> None:
    """Raises the KeyboardInterrupt of a signal that came, which Python may have dropped."""
    if _received:
        raise KeyboardInterrupt


def defer_interrupts() -> None:
    """Makes the KeyboardInterrupt of a signal wait until `resume_interrupts` is called as often.

    To be called in the main thread.
    """
    global _deferrals
    _deferrals += 1


def resume_interrupts() -> None:
    """Raises the KeyboardInterrupt of a signal that came meanwhile, if none defers it any more."""
    global _deferrals
    _deferrals -= 1
    if not _deferrals:
        raise_if_interrupted()


def end_with(parent: int, number: int) -> bool:
    """Lets this process, which was forked on Linux, get a signal when its parent ends.

    Returns:
        Whether the parent still runs.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
    return os.getppid() == parent
