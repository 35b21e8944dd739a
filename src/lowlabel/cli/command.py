"""The classes of commands."""

import sys
from collections import Counter
from typing import Any

import typer
from typer.core import TyperCommand, TyperOption

from lowlabel import __version__
from lowlabel.processes.interrupts import defer_interrupts, resume_interrupts
from lowlabel.processes.torchrun import will_be_main


class Command(TyperCommand):
    """A command that refuses a second value for an option that takes one, rather than drop one."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Reads the arguments of the command line."""
        _, _, order = self.make_parser(ctx).parse_args(args=list(args))
        for param, times in Counter(order).items():
            takes_one = isinstance(param, TyperOption) and not (param.multiple or param.is_flag)
            if times > 1 and takes_one and not ctx.resilient_parsing:
                ctx.fail(f"{param.opts[0]} is given {times} times and takes one value")
        return super().parse_args(ctx, args)


class LoadingCommand(Command):
    """A command that works with models; its first line comes before torch, which takes seconds."""

    def invoke(self, ctx: Any) -> Any:
        """Says what is loaded, then runs."""
        if "torch" not in sys.modules:
            echo_once(f"lowlabel {__version__} {ctx.info_name}: loading PyTorch …", err=True)
            _import_torch()
        return super().invoke(ctx)


def echo_once(message: str, *, err: bool = False) -> None:
    """Prints a message, once however many processes torchrun started."""
    if will_be_main():
        typer.echo(message, err=err)


def _import_torch() -> None:
    """Imports torch, whose initialisation an interrupt would abort."""
    defer_interrupts()
    try:
        import torch  # noqa: F401
    finally:
        resume_interrupts()
