"""The command line: `lowlabel run | list | prepare | extract | pretrain | finetune | analyze | …`.

Commands import torch and the rest when they are called, so that `--help` answers at once.
"""

import errno
import os
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from lowlabel import __version__
from lowlabel.cli import analyze, cache, data, extract, finetune, predict, pretrain, results, run
from lowlabel.cli.command import Command, LoadingCommand, echo_once
from lowlabel.cli.messages import USER_ERROR, say_error
from lowlabel.errors import UserError
from lowlabel.escaping import printable
from lowlabel.processes.interrupts import interruptible
from lowlabel.reading import refusal

_SIGNAL = 128
_NO_READER = 1  # as of click, when a pipe is closed

app = typer.Typer(
    name="lowlabel",
    help="Benchmarks of self-supervised embeddings when labels are few or absent.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run", cls=run.RunCommand)(run.run)
app.command("list", cls=LoadingCommand)(data.list_known)
app.command("prepare", cls=LoadingCommand)(data.prepare)
app.command("extract", cls=LoadingCommand)(extract.extract)
app.command("pretrain", cls=LoadingCommand)(pretrain.pretrain)
app.command("finetune", cls=LoadingCommand)(finetune.finetune)
app.command("predict", cls=LoadingCommand)(predict.predict)
app.add_typer(analyze.app, name="analyze")
app.add_typer(cache.app, name="cache")
app.command("report", cls=Command)(results.report)
app.command("compare", cls=Command)(results.compare)
app.command("check", cls=Command)(results.check)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs a command; a `UserError` is printed without a traceback and exits with code 2.

    So is what the system refuses: a path too long, a full disk, a folder in place of a file. A
    command that a signal ends exits with 128 plus the number of the signal, as a shell says it.
    """
    warnings.showwarning = _show_warning
    with interruptible() as interrupt:
        try:
            _call(arguments)
        except BaseException:  # such as the error of a process that the signal ended, too
            if not interrupt():
                raise
        if number := interrupt():
            _say_interrupted()
            sys.exit(_SIGNAL + number)


def _call(arguments: Sequence[str] | None) -> None:
    try:
        try:
            app(args=None if arguments is None else list(arguments), prog_name="lowlabel")
        finally:
            if sys.stdout:
                sys.stdout.flush()  # Python would tell that it fails after the end, as a traceback
    except UserError as error:
        say_error(error)
        sys.exit(USER_ERROR)
    except OSError as error:
        _drop_output()
        if error.errno == errno.EPIPE:
            sys.exit(_NO_READER)
        if (refused := refusal(error)) is None:
            raise
        say_error(refused)
        sys.exit(USER_ERROR)


def _say_interrupted() -> None:
    """Says it, if there still is a terminal."""
    with suppress(OSError, ValueError):
        echo_once("\ninterrupted: run the same command again to resume", err=True)


def _drop_output() -> None:
    """Drops what standard output does not take, which Python would try to write once more."""
    with suppress(OSError, ValueError, AttributeError):  # closed, or replaced by a test
        descriptor = sys.stdout.fileno()
        try:
            sys.stdout.flush()
        except OSError:
            with Path(os.devnull).open("wb") as nowhere:
                os.dup2(nowhere.fileno(), descriptor)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lowlabel {__version__}")
        raise typer.Exit


@app.callback()
def _global_options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None: ...


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    typer.secho(f"warning: {printable(str(message))}", fg=typer.colors.YELLOW, err=True)
