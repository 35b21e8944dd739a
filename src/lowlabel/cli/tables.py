"""Tables that fit the terminal."""

import shutil
from collections.abc import Sequence

_GAP = 2  # blanks between columns
_LEAST = 8  # characters in a column
_NO_TERMINAL = (100, 24)


def fitted(headers: Sequence[str], rows: Sequence[Sequence[str]], *, right: int = 0) -> str:
    """A table no wider than the terminal; the widest columns are wrapped.

    Args:
        headers: Names of the columns.
        rows: The cells.
        right: Number of columns at the end that are aligned to the right.
    """
    from tabulate import tabulate

    widths = [max(map(len, column)) for column in zip(headers, *rows, strict=True)]
    room = shutil.get_terminal_size(_NO_TERMINAL).columns - _GAP * (len(widths) - 1)
    while sum(widths) > room and max(widths) > _LEAST:
        widths[widths.index(max(widths))] -= 1
    align = ["left"] * (len(widths) - right) + ["right"] * right
    return tabulate(
        rows,
        headers,
        tablefmt="simple",
        maxcolwidths=widths,
        colalign=align,
        disable_numparse=True,
    )
