"""Errors of the code that a user brings: told with its line, whatever it raises."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lowlabel.errors import DataError, UserError
from lowlabel.features.models.code.user_code import is_installed
from lowlabel.reading import reason


@contextmanager
def users_code(what: str, fix: str, passed: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Turns what a user's code raises into an error that names its line.

    Args:
        what: What fails, for the message: "model.py: build fails".
        fix: How to find out more.
        passed: Errors that are not of the code, and that the caller tells.

    Raises:
        DataError: If the code raises anything, or ends the process.
    """
    told: tuple[type[Exception], ...] = (UserError, *passed)
    try:
        yield
    except told:
        raise
    except (Exception, SystemExit) as error:  # a user's code may raise anything
        raise DataError(
            f"{what}{_line(error)}: {type(error).__name__}: {reason(error)}", fix
        ) from error


def _line(error: BaseException) -> str:
    """The innermost line of code that is neither lowlabel's nor installed."""
    for frame, number in reversed(list(traceback.walk_tb(error.__traceback__))):
        path = Path(frame.f_code.co_filename)
        ours = str(frame.f_globals.get("__name__")).partition(".")[0] == "lowlabel"
        if path.is_absolute() and not ours and not is_installed(path):
            return f" in line {number} of {path.name}"
    return ""
