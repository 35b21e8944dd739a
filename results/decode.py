"""JSON to dataclasses and back, with every field checked on the way in."""

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

from lowlabel.errors import InputError

T = TypeVar("T")


def plain(value: object, where: str) -> Any:
    """`value` as JSON would give it back: tuples as lists, string keys, finite numbers.

    Raises:
        InputError: If it holds something that JSON cannot, named by `where`.
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, f"{where}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{where} is {value}; a record holds finite numbers only")
    if value is None or isinstance(value, str | int | float):
        return value
    raise InputError(f"{where} is a {type(value).__name__}, which JSON cannot hold")


def decode(kind: type[T], value: object, where: str) -> T:
    """Builds a `kind` (a dataclass, or what its fields are made of) from parsed JSON.

    Raises:
        ValueError: If a field is missing, unknown or of another type; `where` leads to it.
    """
    return cast(T, _decode(kind, value, where))


def _decode(kind: Any, value: object, where: str) -> object:
    if kind is object:
        return value
    if is_dataclass(kind):
        return _dataclass(cast(type, kind), value, where)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is UnionType:
        return _optional(arguments, value, where)
    if origin is dict:
        items = _expect(dict, value, where).items()
        return {key: _decode(arguments[1], item, f"{where}.{key}") for key, item in items}
    if origin is tuple:
        items = enumerate(_expect(list, value, where))
        return tuple(_decode(arguments[0], item, f"{where}[{index}]") for index, item in items)
    if kind is float and type(value) is int:
        return float(value)
    return _expect(kind, value, where)


def _optional(arguments: tuple[Any, ...], value: object, where: str) -> object:
    (kind,) = (argument for argument in arguments if argument is not NoneType)
    return None if value is None else _decode(kind, value, where)


def _dataclass(kind: type, value: object, where: str) -> object:
    data = _expect(dict, value, where)
    names = [field.name for field in fields(kind)]
    missing = [name for name in names if name not in data]
    unknown = [name for name in data if name not in names]
    if missing:
        raise ValueError(f"{where} lacks {', '.join(missing)}")
    if unknown:
        raise ValueError(f"{where} has the unknown field {', '.join(unknown)}")
    hints = get_type_hints(kind)
    return kind(**{name: _decode(hints[name], data[name], f"{where}.{name}") for name in names})


def _expect(kind: Any, value: object, where: str) -> Any:
    if type(value) is not kind:
        raise ValueError(f"{where} is {value!r:.60}, which is no {kind.__name__}")
    return value
