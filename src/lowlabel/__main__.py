"""`lowlabel …`, and `python -m lowlabel …`, which is the same."""

import signal
import sys
from collections.abc import Sequence


def command(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line; Ctrl-C before its work begins, or after it, leaves no traceback."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from lowlabel.cli import main

    main(arguments)


if __name__ == "__main__":
    # Python puts the working folder first, where folders such as datasets/ would hide packages.
    if not sys.flags.safe_path:
        del sys.path[0]
    command()
