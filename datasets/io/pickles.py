"""Reads published pickles of arrays without running any code that they name."""

import mmap
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from lowlabel.datasets.io.pickle_scan import scan_pickle
from lowlabel.reading import reading

_NUMERIC_KINDS = "biuf"
_FIX = "Fetch the file from its publisher; no code in it was run."
Numbers = NDArray[Any]


def read_pickle(path: Path) -> Any:
    """Reads a pickle of dictionaries, lists, strings, numbers and numeric arrays.

    Any other class or function in the file is refused before it is looked up. numpy's unpickling
    is not used either: arrays are built from their type, shape and bytes. Files written by
    Python 2 are read too; their strings become str. An array becomes an object that
    `numpy.asarray` accepts.

    Raises:
        DataError: If the file is missing, damaged, or holds anything else.
    """
    with (
        reading(path),
        path.open("rb") as file,
        reading(path, f"{path} is not a pickle of plain arrays", _FIX),
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        scan_pickle(data)
        return _Reader(file).load()


class _DType:
    """Stands in for `numpy.dtype`; accepts numeric types only."""

    def __init__(self, code: str, align: bool = False, copy: bool = False) -> None:
        self.dtype: np.dtype[Any] = np.dtype(str(code))
        if self.dtype.kind not in _NUMERIC_KINDS:
            raise pickle.UnpicklingError(f"it holds an array of {self.dtype}")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.dtype = np.dtype(f"{state[1]}{self.dtype.str[1:]}")


class _Array:
    """Stands in for `numpy.ndarray`."""

    def __init__(self, *ignored: object) -> None:
        self.values: Numbers = np.empty(0)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, fortran, data = state
        if not isinstance(kind, _DType):
            raise pickle.UnpicklingError("it holds an array without a type")
        flat = np.frombuffer(_as_bytes(data), kind.dtype)
        self.values = flat.reshape(shape, order="F" if fortran else "C")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Numbers:
        return np.asarray(self.values, dtype)


def _scalar(kind: _DType, data: str | bytes) -> Any:
    return np.frombuffer(_as_bytes(data), kind.dtype)[0].item()


def _as_bytes(data: str | bytes, encoding: str = "latin1") -> bytes:
    """Decodes bytes, which Python 2 wrote as text and Python 3 as text to encode as latin1."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"it asks for the encoding {encoding!r}")
    return data.encode("latin1") if isinstance(data, str) else data


def _dictionary(*factory: object) -> dict[Any, Any]:
    """An ordinary dictionary in place of one of `collections`, filled by what follows."""
    return {}


_STAND_INS: dict[str, Callable[..., Any]] = {
    "__builtin__.bytes": bytes,
    "__builtin__.list": list,
    "builtins.list": list,
    "collections.OrderedDict": _dictionary,
    "collections.defaultdict": _dictionary,
    "_codecs.encode": _as_bytes,
    "numpy.dtype": _DType,
    "numpy.ndarray": _Array,
    "numpy.core.multiarray._reconstruct": _Array,
    "numpy._core.multiarray._reconstruct": _Array,
    "numpy.core.multiarray.scalar": _scalar,
    "numpy._core.multiarray.scalar": _scalar,
}


class _StandIn:
    """A function to a pickle, which cannot change it: states are set on arrays and types alone."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[..., Any]) -> None:
        self._make = make

    def __call__(self, *arguments: Any) -> Any:
        return self._make(*arguments)

    def __setstate__(self, state: object) -> None:
        raise pickle.UnpicklingError("it changes a function")


class _Reader(pickle.Unpickler):
    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file, fix_imports=False, encoding="latin1")

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        """Returns the stand-in for a class or function that the pickle names."""
        if f"{module}.{name}" not in _STAND_INS:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return _StandIn(_STAND_INS[f"{module}.{name}"])
