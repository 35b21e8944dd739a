"""The device to compute on, and how memory is allocated."""

import ctypes
import math
import sys
from typing import TYPE_CHECKING

from lowlabel.errors import InputError

if TYPE_CHECKING:
    import torch

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4


def resolve_device(device: "str | torch.device" = "auto") -> "torch.device":
    """Resolves the name of a device; "auto" is a GPU if there is one, else the CPU.

    Raises:
        InputError: If torch does not know the device or this machine does not have it.
    """
    import torch

    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
        torch.empty(0, device=resolved)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"device {str(device)!r} cannot be used here: {reason}", "Use --device auto or cpu."
        ) from error
    return resolved


def scoring_device(device: "str | torch.device" = "auto") -> "torch.device":
    """Resolves the device that scores are computed on: that of the name, but the CPU for Apple's.

    Scores are settled in float64, which MPS does not have; networks run there all the same.

    Raises:
        InputError: As `resolve_device`.
    """
    import torch

    resolved = resolve_device(device)
    return torch.device("cpu") if resolved.type == "mps" else resolved


def describe_device(device: "torch.device") -> str:
    """The name of a device in records, such as "NVIDIA H100 80GB HBM3" or "cpu (2 threads)"."""
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "mps":
        return f"mps, scores on cpu ({torch.get_num_threads()} threads)"
    return f"{device.type} ({torch.get_num_threads()} threads)"


def keep_freed_memory() -> None:
    """Makes glibc reuse large freed blocks instead of returning them to the kernel.

    Otherwise, activations of tens of megabytes are mapped and unmapped at every layer, and page
    faults take most of a forward pass on a CPU. `release_freed_memory` returns the memory at the
    end of a stage. Without glibc, both do nothing.
    """
    libc = _glibc()
    if libc is None:
        return
    libc.mallopt(_M_MMAP_MAX, 0)
    libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
    libc.mallopt(_M_TOP_PAD, 64 * 2**20)


def release_freed_memory() -> None:
    """Returns freed memory to the kernel (glibc only)."""
    libc = _glibc()
    if libc is not None:
        libc.malloc_trim(0)


def peak_memory_mb() -> float:
    """Peak resident size of this process so far, in MiB; NaN on Windows, which does not tell."""
    try:
        import resource
    except ImportError:
        return math.nan
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None
