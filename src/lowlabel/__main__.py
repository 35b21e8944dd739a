"""`lowlabel …`, and `python -m lowlabel …`, which is the same."""

import gc
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress

_OBJECTS = 10_000  # that are made between two searches for cycles


def command(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line; Ctrl-C before its work begins, or after it, leaves no traceback.

    The imports make half a million objects that stay. To search them for cycles takes half a second
    while they are made, at Python's own threshold, and a whole one at the end: that is left out.
    """
    gc.set_threshold(_OBJECTS)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    _open_closed_streams()
    from lowlabel.cli import main

    try:
        main(arguments)
    finally:
        gc.freeze()


def _open_closed_streams() -> None:
    """Drops what is written to a standard stream that is closed.

    The next file that is opened would take its number, and what libraries print would go there.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        with suppress(OSError):
            os.fstat(number)
            continue
        if os.open(os.devnull, os.O_RDWR) == number:  # the lowest free one
            setattr(sys, name, os.fdopen(number, "w" if number else "r", encoding="utf-8"))


if __name__ == "__main__":
    # Python puts the working folder first, where folders such as datasets/ would hide packages.
    if not sys.flags.safe_path:
        del sys.path[0]
    command()
