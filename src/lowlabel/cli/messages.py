"""Errors that the user can fix, on standard error."""

from contextlib import suppress

import typer

from lowlabel.errors import UserError
from lowlabel.escaping import printable

USER_ERROR = 2


def say_error(error: UserError) -> None:
    """Prints the message and the hint of an error on standard error.

    Names in it that come from files cannot move the cursor or change what was printed before. The
    exit code tells it, too, where standard error takes nothing.
    """
    with suppress(OSError, ValueError):  # a full disk, or closed
        typer.secho(f"error: {printable(error.message)}", fg=typer.colors.RED, err=True)
        if error.hint:
            typer.echo(printable(error.hint), err=True)
