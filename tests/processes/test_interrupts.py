import signal
import sys

import pytest

from lowlabel.processes.interrupts import interruptible
from lowlabel.progress import progress_bar

pytestmark = pytest.mark.usefixtures("default_signals")
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


class Dropping:
    """An object whose destructor does some work."""

    def __init__(self, work):
        self.at_end = work

    def __del__(self) -> None:
        self.at_end()


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_the_block_and_is_told(number):
    with interruptible() as interrupt:
        assert interrupt() == 0
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
        assert interrupt() == number
        assert all(signal.getsignal(each) == signal.SIG_DFL for each in SIGNALS), "a second kills"
    assert all(signal.getsignal(each) == signal.SIG_DFL for each in SIGNALS)


def test_a_signal_that_is_ignored_stays_so():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with interruptible() as interrupt:
        signal.raise_signal(signal.SIGHUP)
        assert interrupt() == 0
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


def test_an_interrupt_that_python_dropped_is_raised_by_the_next_progress(monkeypatch):
    def fail():
        raise ValueError

    told = []
    monkeypatch.setattr(sys, "unraisablehook", lambda what: told.append(what.exc_type))
    with interruptible():
        Dropping(fail)
        Dropping(lambda: signal.raise_signal(signal.SIGINT))
        assert told == [ValueError]
        with progress_bar("work", "img") as progress, pytest.raises(KeyboardInterrupt):
            progress(1, 2)
    with progress_bar("work", "img") as progress:
        progress(2, 2)
