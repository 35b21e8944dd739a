"""Coverage of intervals: `python -m lowlabel.benchmarks.coverage --worlds 1000`.

Worlds are seeded one by one and added to a file, so a run can be stopped and continued.
"""

import time
from pathlib import Path
from typing import Annotated

import typer
from tabulate import tabulate

from lowlabel.benchmarks.coverage.cells import CELLS
from lowlabel.benchmarks.coverage.outcomes import WORLDS, append, read, table
from lowlabel.errors import UnknownNameError

_ROUND = 20  # worlds of a cell before the next cell has its turn


def main(
    worlds: Annotated[int, typer.Option(help="Number of worlds of each cell.")] = WORLDS,
    cell: Annotated[
        list[str] | None, typer.Option(help="Cells whose names contain this; repeats.")
    ] = None,
    output: Annotated[Path, typer.Option(help="CSV file to continue.")] = Path("coverage.csv"),
    seconds: Annotated[float, typer.Option(help="Stop after about this time.")] = float("inf"),
) -> None:
    """Runs the worlds that the file lacks, and prints coverage and mean width of each interval."""
    wanted = [each for each in CELLS if not cell or any(part in each.name for part in cell)]
    if not wanted:
        raise UnknownNameError("cell", ", ".join(cell or ()), [each.name for each in CELLS])
    names = {each.name for each in wanted}
    outcomes = [each for each in read(output) if each.cell in names]
    done = {(each.cell, each.seed) for each in outcomes}
    end = time.monotonic() + seconds
    for first in range(0, worlds, _ROUND):
        for each in wanted:
            for seed in range(first, min(first + _ROUND, worlds)):
                if (each.name, seed) not in done and time.monotonic() < end:
                    found = list(each.outcomes(seed))
                    append(output, found)
                    outcomes += found
    rows = list(table(outcomes))
    print(tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    typer.run(main)
