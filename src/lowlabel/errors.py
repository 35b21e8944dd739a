"""What the suite says when it was asked for something that it cannot do.

Every error that a user can cause is a `UserError`: its message says what is wrong and where the
suite looked, its `hint` gives the command that mends it. The command line prints both and exits
with code 2; a traceback is left to defects of the suite itself.
"""

from collections.abc import Iterable
from difflib import get_close_matches

_MOST_NAMES = 40


class UserError(Exception):
    """A request that cannot be met, with what to do about it.

    Args:
        message: What is wrong, with the offending value and where the suite looked.
        hint: What mends it, as a command or a sentence; empty where the message says it all.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class InputError(UserError, ValueError):
    """Arrays or options that do not fit: wrong shapes, NaN, too few images, a value too large."""


class UnknownNameError(UserError, LookupError):
    """A name that a registry does not hold, with the nearest ones that it does."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        close = get_close_matches(name.lower(), names, n=3, cutoff=0.5)
        hints = [f"Did you mean {' or '.join(close)}?"] if close else []
        if len(names) <= _MOST_NAMES:
            hints.append(f"Known: {', '.join(names)}.")
        super().__init__(f"unknown {kind} {name!r}", " ".join(hints))


class DataError(UserError):
    """Files that are missing, damaged or not what they should be."""
