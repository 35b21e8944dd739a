"""Standard normal numbers that depend only on the task."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor


def standard_normals(
    seeds: Sequence[tuple[int, ...]], count: int, device: torch.device | str = "cpu"
) -> Tensor:
    """Draws independent standard normal numbers for each task.

    They are drawn on the CPU with torch's number of threads: a task's numbers depend neither on
    the device nor on the other tasks or their order.

    Args:
        seeds: Seed and index of each of T tasks, and what else tells their numbers apart.
        count: Numbers per task.
        device: Device of the result.

    Returns:
        float32 [T, count].
    """
    numbers = torch.empty(len(seeds), count)
    with ThreadPoolExecutor(torch.get_num_threads()) as threads:
        list(threads.map(_fill, numbers, seeds))
    return numbers.to(device)


def _fill(numbers: Tensor, seed: tuple[int, ...]) -> None:
    state = int(np.random.SeedSequence(seed).generate_state(1)[0])
    with torch.inference_mode():  # set per thread
        numbers.normal_(generator=torch.Generator().manual_seed(state))
