"""Embeddings of a whole batch, whose parts several processes computed."""

import torch
import torch.distributed as dist

from lowlabel.processes.world import World


def gather_rows(rows: torch.Tensor, world: World) -> torch.Tensor:
    """The rows of all processes in the order of the batch, of which process r has each r-th.

    Args:
        rows: [B, …], with the same B in every process.
        world: The processes.

    Returns:
        [B · processes, …], without a gradient.
    """
    if world.size == 1:
        return rows
    gathered = [torch.empty_like(rows) for _ in range(world.size)]
    dist.all_gather(gathered, rows.contiguous())
    return torch.stack(gathered, dim=1).flatten(0, 1)


def own_rows(rows: torch.Tensor, world: World) -> torch.Tensor:
    """This process's rows of a whole batch."""
    return rows[world.rank :: world.size]
