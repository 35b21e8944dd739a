"""Threads that multiply matrices side by side, and products of full precision."""

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from typing import TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")


def run_parallel(
    function: Callable[[T], R], items: Sequence[T], workers: int
) -> Generator[R, None, None]:
    """Yields `function(item)` for every item, in the order in which they finish.

    Each of several workers is a thread that computes on one core: a block then stays in the cache
    of that core from the product to the last reading, and no thread waits for the others. Closing
    the generator cancels the items that have not started.
    """
    if workers == 1:
        yield from map(function, items)
        return
    threads = torch.get_num_threads()
    executor = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,))
    try:
        for future in as_completed([executor.submit(function, item) for item in items]):
            yield future.result()
    finally:
        executor.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)


@contextmanager
def full_precision() -> Iterator[None]:
    """Computes float32 products without rounding to TF32 or bfloat16, whatever the caller set."""
    if not hasattr(torch.backends.cuda.matmul, "fp32_precision"):  # torch < 2.9
        precision = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("highest")
        try:
            yield
        finally:
            torch.set_float32_matmul_precision(precision)
        return
    backends = [torch.backends.cuda.matmul, torch.backends.mkldnn.matmul]  # type: ignore[attr-defined]
    saved = [backend.fp32_precision for backend in backends]
    try:
        for backend in backends:
            backend.fp32_precision = "ieee"
        yield
    finally:
        for backend, precision in zip(backends, saved, strict=True):
            backend.fp32_precision = precision
