"""Timing of jobs in alternating runs, as medians and ratios, and the product they are held to."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence

import torch
from tabulate import tabulate
from torch import Tensor

from lowlabel.precision import full_precision
from lowlabel.workers import cpu_workers, run_parallel


def median_seconds(jobs: Mapping[str, Callable[[], object]], repeats: int = 5) -> dict[str, float]:
    """Runs the jobs in turn (A B C, A B C, …) after one warm-up run each.

    If the speed of the machine drifts, it affects all jobs equally: their ratios can be trusted
    even if their seconds cannot.

    Returns:
        The median wall time of each job, in seconds.
    """
    for job in jobs.values():
        job()
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(repeats):
        for name, job in jobs.items():
            started = time.perf_counter()
            job()
            seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(values) for name, values in seconds.items()}


def markdown(rows: Sequence[Mapping[str, object]]) -> str:
    """A Markdown table."""
    return tabulate(rows, headers="keys", tablefmt="github", floatfmt=".3g")


def tiled_product(
    queries: Tensor, table: Tensor, rows: int, columns: int, *, each: bool = True
) -> None:
    """Multiplies all queries with all rows of a table, by tiles that are not read.

    Args:
        queries: float32 [Q, D].
        table: float32 [N, D], on the same device.
        rows: Queries of a tile.
        columns: Rows of the table of a tile.
        each: Whether each core of a CPU multiplies tiles of its own, instead of all cores one.
    """

    def strip(part: Tensor) -> None:
        out = torch.empty(rows * columns, device=table.device)
        for tile in table.split(columns):
            view = out[: len(part) * len(tile)].view(len(part), len(tile))
            torch.mm(part, tile.T, out=view)

    with full_precision():
        for _ in run_parallel(strip, queries.split(rows), cpu_workers(table.device) if each else 1):
            pass
    if table.device.type == "cuda":
        torch.cuda.synchronize()
