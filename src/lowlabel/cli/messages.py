"""Errors that the user can fix, on standard error."""

import typer

from lowlabel.errors import UserError

USER_ERROR = 2


def say_error(error: UserError) -> None:
    """Prints the message and the hint of an error on standard error."""
    typer.secho(f"error: {error.message}", fg=typer.colors.RED, err=True)
    if error.hint:
        typer.echo(error.hint, err=True)
