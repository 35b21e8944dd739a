"""What torchrun tells the processes that it starts, before they import torch or join."""

import os


def will_be_main() -> bool:
    """Whether this process is alone, or the one that torchrun gave rank 0."""
    return os.environ.get("RANK", "0") == "0"


def planned_processes() -> int:
    """Number of processes that torchrun started; 1 without torchrun."""
    return int(os.environ.get("WORLD_SIZE", "1"))
