"""Standard normal numbers that depend on the task alone."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor


def standard_normals(
    seeds: Sequence[tuple[int, int]], count: int, device: torch.device | str = "cpu"
) -> Tensor:
    """Independent standard normal numbers for each task.

    They are drawn on the CPU, by as many threads as torch has: so neither the device, nor the
    tasks beside it, nor their order changes what a task gets.

    Args:
        seeds: Seed and number of each of T tasks.
        count: How many numbers a task gets.
        device: Where they are wanted.

    Returns:
        float32 [T, count].
    """
    numbers = torch.empty(len(seeds), count)
    with ThreadPoolExecutor(torch.get_num_threads()) as threads:
        list(threads.map(_fill, numbers, seeds))
    return numbers.to(device)


def _fill(numbers: Tensor, seed: tuple[int, int]) -> None:
    state = int(np.random.SeedSequence(seed).generate_state(1)[0])
    with torch.inference_mode():  # which each thread enters by itself
        numbers.normal_(generator=torch.Generator().manual_seed(state))
