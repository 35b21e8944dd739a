"""Ctrl-C in long work."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from lowlabel.progress import interruptible

INTERRUPTED = 130


@contextmanager
def resumable() -> Iterator[None]:
    """Exits with code 130 on Ctrl-C, for work that the same command resumes."""
    try:
        with interruptible():
            yield
    except KeyboardInterrupt:
        typer.echo("\ninterrupted: run the same command again to resume", err=True)
        raise typer.Exit(INTERRUPTED) from None
