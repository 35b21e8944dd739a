"""Work in one process or in those of torchrun: joining, reducing and gathering."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist

from lowlabel.devices import resolve_device
from lowlabel.processes.torchrun import planned_processes


@dataclass(frozen=True)
class World:
    """This process among the processes that train together.

    Attributes:
        rank: Rank of this process; rank 0 writes the files.
        size: Number of processes.
        device: Device to compute on.
    """

    rank: int
    size: int
    device: torch.device

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and prints."""
        return self.rank == 0


def process_device(device: str = "auto") -> torch.device:
    """The device of this process: under torchrun, of several GPUs that of its local rank."""
    resolved = resolve_device(device)
    if resolved.type == "cuda" and planned_processes() > 1:
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    return resolved


@contextmanager
def join_world(device: str = "auto") -> Iterator[World]:
    """Joins the processes that torchrun started; without torchrun, this process is alone.

    Processes communicate through NCCL on GPUs and gloo on CPUs. Each uses the GPU of its local
    rank.
    """
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        yield World(0, 1, resolve_device(device))
        return
    resolved = process_device(device)
    if resolved.type == "cuda":
        torch.cuda.set_device(resolved)
    dist.init_process_group("nccl" if resolved.type == "cuda" else "gloo")
    try:
        yield World(dist.get_rank(), dist.get_world_size(), resolved)
    finally:
        dist.destroy_process_group()


def world_size() -> int:
    """Number of processes that train together; 1 without torchrun."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def all_reduce_mean(tensor: torch.Tensor) -> torch.Tensor:
    """The mean of a tensor over all processes. With several processes it carries no gradient."""
    if world_size() == 1:
        return tensor
    total = tensor.detach().clone()
    dist.all_reduce(total)
    return total / world_size()


def gather_sets(items: set[int]) -> set[int]:
    """The union of the sets of all processes."""
    if world_size() == 1:
        return items
    gathered: list[set[int]] = [set() for _ in range(world_size())]
    dist.all_gather_object(gathered, items)
    return set().union(*gathered)
