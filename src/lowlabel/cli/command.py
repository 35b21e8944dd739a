"""The class of every command."""

from collections import Counter
from typing import Any

from typer.core import TyperCommand, TyperOption


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
