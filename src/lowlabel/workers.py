"""Threads that compute side by side, each on one core."""

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")

_AHEAD = 2  # items per worker that are taken before a result is read


def cpu_workers(device: torch.device) -> int:
    """Number of workers for a device: torch's number of threads on a CPU, else 1."""
    return torch.get_num_threads() if device.type == "cpu" else 1


def run_parallel(
    function: Callable[[T], R], items: Iterable[T], workers: int
) -> Generator[R, None, None]:
    """Yields `function(item)` for every item, in the order in which they finish.

    Each of several workers is a thread that computes on one core: a block then stays in the cache
    of that core from the product to the last reading, and no thread waits for the others, so a
    core that another process takes delays only its own items. Items are taken as workers become
    free. Closing the generator cancels the items that have not started.
    """
    if workers == 1:
        yield from map(function, items)
        return
    threads, rest = torch.get_num_threads(), iter(items)
    executor = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,))
    running: set[Future[R]] = set()
    try:
        while True:
            wanted = _AHEAD * workers - len(running)
            running.update(executor.submit(function, item) for item in islice(rest, wanted))
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
    finally:
        executor.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)
