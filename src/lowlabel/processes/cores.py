"""How many threads and processes load images, if nothing else is said."""

import os

_FEWEST_THREADS = 4  # some wait for the disk
_FEWEST_PROCESSES, _MOST_PROCESSES = 2, 16


def usable_cores() -> int:
    """Number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def decoding_threads() -> int:
    """Threads that decode images for an extraction: one per core, at least 4."""
    return max(_FEWEST_THREADS, _own_cores())


def loader_processes() -> int:
    """Processes that load images for a training: one per core, 2 to 16."""
    return min(max(_FEWEST_PROCESSES, _own_cores()), _MOST_PROCESSES)


def _own_cores() -> int:
    """This process's share of the cores; torchrun says how many processes share them."""
    return usable_cores() // max(int(os.environ.get("LOCAL_WORLD_SIZE") or 1), 1)
