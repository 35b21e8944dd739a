"""Errors that a user can fix, and numbers with their nouns in messages.

Raise `UserError` for anything the user can fix: its message says what is wrong and where lowlabel
looked, its `hint` gives the command that fixes it. The command line prints both and exits with code
2. A traceback means a defect of lowlabel itself.
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

_MOST_NAMES = 40
_ENDINGS = (("ies", "y"), ("sses", "ss"), ("ches", "ch"), ("s", ""))  # of plurals


class UserError(Exception):
    """A request that cannot be met, and how to fix it.

    Args:
        message: What is wrong, with the offending value and where lowlabel looked.
        hint: How to fix it, as a command or a sentence; empty if the message says it all.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class InputError(UserError, ValueError):
    """Arrays or options that do not fit: wrong shapes, NaN, too few images, a value too large."""


class ClassError(InputError):
    """Some classes do not fit: messages give their labels, or their names where they are known.

    Args:
        template: What is wrong, with "{}" in place of each class.
        hint: How to fix it.
        classes: The label of each class.
    """

    def __init__(self, template: str, hint: str, classes: Sequence[int]) -> None:
        super().__init__(template.format(*classes), hint)
        self._template, self._classes = template, classes

    def named(self, names: Sequence[str]) -> InputError:
        """The error with the names of the classes, by label."""
        return InputError(self._template.format(*(names[c] for c in self._classes)), self.hint)


class UnknownNameError(UserError, LookupError):
    """An unknown name, with suggestions of similar ones.

    Args:
        kind: What the name should be the name of: "dataset", "few-shot method".
        name: The unknown name.
        known: The names that exist.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        close = get_close_matches(name.lower(), names, n=3, cutoff=0.5)
        hints = [f"Did you mean {' or '.join(close)}?"] if close else []
        if len(names) <= _MOST_NAMES:
            told_apart = (f"'{each}'" if ", " in each else each for each in names)
            hints.append(f"Known: {', '.join(told_apart)}." if names else "There is none.")
        super().__init__(f"unknown {kind} {name!r}", " ".join(hints))


class DataError(UserError):
    """Files that are missing, damaged or of another kind than expected."""


def number_of(number: int, plural: str) -> str:
    """A number with its noun: "1 image", "1,200 images".

    Args:
        number: The number.
        plural: The noun in the plural, with any words before it.
    """
    return f"{number:,} {singular(plural) if number == 1 else plural}"


def singular(plural: str) -> str:
    """The singular of a noun of this package; what is no plural stays."""
    for ending, instead in _ENDINGS:
        if plural.endswith(ending):
            return plural.removesuffix(ending) + instead
    return plural
