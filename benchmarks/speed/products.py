"""Bare float32 products by tiles whose results are not read: the limit of exact search."""

import torch
from torch import Tensor

from lowlabel.precision import full_precision
from lowlabel.workers import cpu_workers, run_parallel


def tiled_product(
    queries: Tensor, table: Tensor, rows: int, columns: int, *, each: bool = True
) -> None:
    """Multiplies all queries with all rows of a table.

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
