"""Products and convolutions of full precision."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def full_precision() -> Iterator[None]:
    """Computes in float32 without rounding to TF32 or bfloat16, whatever the caller set.

    PyTorch rounds the inputs of a GPU's convolutions to TF32 unless it is told otherwise.
    """
    if not hasattr(torch.backends.cuda.matmul, "fp32_precision"):  # torch < 2.9
        precision, tf32 = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
        torch.set_float32_matmul_precision("highest")
        torch.backends.cudnn.allow_tf32 = False
        try:
            yield
        finally:
            torch.set_float32_matmul_precision(precision)
            torch.backends.cudnn.allow_tf32 = tf32
        return
    cuda, mkldnn = torch.backends.cudnn, torch.backends.mkldnn
    backends = [torch.backends.cuda.matmul, cuda.conv, mkldnn.matmul, mkldnn.conv]  # type: ignore[attr-defined]
    saved = [backend.fp32_precision for backend in backends]
    try:
        for backend in backends:
            backend.fp32_precision = "ieee"
        yield
    finally:
        for backend, precision in zip(backends, saved, strict=True):
            backend.fp32_precision = precision
