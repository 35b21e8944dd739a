"""A GPU that is simulated on the CPU, to find tensors that are on the wrong device.

A tensor on it says that it is on `cuda` and holds its values in a tensor of the CPU. Every
operation is held to the rule of a GPU: all tensors are on one device, but for numbers without
dimensions, and for indices and copies. Unlike under torch's `FakeTensorMode`, there are values, so
code that branches on them runs, and its results can be compared with those of the CPU.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_flatten, tree_map_only

GPU = torch.device("cuda", 0)
CPU = torch.device("cpu")
_INSIDE = torch.device("meta")  # for torch's own code, which would look for a GPU's driver
_ACROSS = {"_to_copy", "copy_", "_copy_from", "set_"}  # between devices
_INDEXED = {"index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index"}
_INDEXED_PARTS = 2  # the values of their arguments that must share the device: self and values


class WrongDeviceError(AssertionError):
    """An operation on tensors of two devices."""


class GpuTensor(Tensor):
    """A tensor on the simulated GPU."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> "GpuTensor":
        made: GpuTensor = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            layout=held.layout,
            device=_INSIDE,
        )
        made.held = held
        return made

    __torch_function__ = torch._C._disabled_torch_function_impl

    device = GPU  # type: ignore[assignment]
    is_cuda = True

    def tolist(self) -> Any:
        """As of any tensor; torch has none for subclasses."""
        return self.held.tolist()

    def new_tensor(self, data: Any, dtype: torch.dtype | None = None, **_: Any) -> Tensor:
        """As of any tensor; torch's own one knows nothing of the simulation."""
        return torch.tensor(data, dtype=dtype or self.dtype, device=GPU)

    def __getitem__(self, key: Any) -> Tensor:
        """As of any tensor; torch makes indices of lists itself, outside the simulation."""
        keys = key if isinstance(key, tuple) else (key,)
        made = (torch.as_tensor(k) if isinstance(k, list | np.ndarray) else k for k in keys)
        return super().__getitem__(tuple(made))

    def __tensor_flatten__(self) -> tuple[list[str], None]:
        return ["held"], None

    @staticmethod
    def __tensor_unflatten__(inner: Mapping[str, Tensor], *_: object) -> "GpuTensor":
        return GpuTensor(inner["held"])

    @classmethod
    def __torch_dispatch__(
        cls, func: Any, types: Sequence[type], args: Any = (), kwargs: Any = None
    ) -> Any:
        return _run(func, args, kwargs or {})


class _Allocations(TorchDispatchMode):
    """Puts new tensors on the simulated GPU where that is asked for."""

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Any = (), kwargs: Any = None
    ) -> Any:
        if func.overloadpacket.__name__ in ("pin_memory", "_pin_memory"):
            return args[0]
        with self:  # in inference mode, functions come here whole
            found = func.decompose(*args, **kwargs or {})
        return _run(func, args, kwargs or {}) if found is NotImplemented else found


def _run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    name = func.overloadpacket.__name__
    leaves = tree_flatten((args, kwargs))[0]
    on_gpu = any(isinstance(leaf, GpuTensor) for leaf in leaves)
    asked = kwargs.get("device")
    on_other = asked is None or torch.device(asked).type not in ("cuda", "meta")
    if not on_gpu and on_other:
        return func(*args, **kwargs)
    if on_gpu and name not in _ACROSS:
        _check(name, args, kwargs)
    goes_to = on_gpu if asked is None else not on_other
    plain_args, plain = tree_map_only(GpuTensor, lambda tensor: tensor.held, (args, kwargs))
    if asked is not None:
        plain["device"] = CPU
    if "pin_memory" in plain:
        plain["pin_memory"] = False
    found = func(*plain_args, **plain)
    if name == "copy_":
        return args[0]
    if not goes_to:
        return found
    with torch.inference_mode(False):  # views of weights keep their counters of versions
        wrapped = tree_map_only(Tensor, GpuTensor, found)
        return return_and_correct_aliasing(func, args, kwargs, wrapped) if on_gpu else wrapped


def _check(name: str, args: Any, kwargs: dict[str, Any]) -> None:
    leaves = tree_flatten((args, kwargs))[0]
    lost = [leaf for leaf in leaves if type(leaf) is Tensor and leaf.device == _INSIDE]
    assert not lost, f"{name} takes a tensor that torch made outside the simulation"
    parts = (args[0], *args[_INDEXED_PARTS:]) if name in _INDEXED else (args, kwargs)
    tensors = [leaf for leaf in tree_flatten(parts)[0] if isinstance(leaf, Tensor)]
    stray = [t for t in tensors if not isinstance(t, GpuTensor) and t.dim()]
    if stray:
        shapes = ", ".join(f"{[*tensor.shape]}" for tensor in stray)
        raise WrongDeviceError(f"{name} takes tensors of the GPU and of the CPU, {shapes}")


@contextmanager
def simulated_gpu() -> Iterator[torch.device]:
    """Yields the device."""
    known: dict[str, Callable[..., Any]] = {
        "_lazy_init": lambda: None,
        "is_available": lambda: True,
        "get_device_name": lambda *_: "simulated GPU",
        "synchronize": lambda *_: None,
        "current_device": lambda: 0,
        "device_count": lambda: 1,
        "mem_get_info": lambda *_: (2**33, 2**33),
    }
    torch._C._ensureCUDADeviceGuardSet()  # one that does nothing, as FakeTensorMode has
    torch._C._set_only_lift_cpu_tensors(True)  # torch.tensor goes by way of the CPU
    try:
        with patch.multiple(torch.cuda, **known), _Allocations():
            yield GPU
    finally:
        torch._C._set_only_lift_cpu_tensors(False)
