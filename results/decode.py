"""Dataclasses from JSON, with every field checked; `lowlabel.fields.encode` is the way back."""

import math
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

from lowlabel.errors import InputError
from lowlabel.fields import is_grown

T = TypeVar("T")


class NewerFormatError(ValueError):
    """A file made by a newer version of lowlabel."""


def plain(value: object, where: str) -> Any:
    """`value` as read back from JSON: tuples as lists, string keys, finite numbers.

    Raises:
        InputError: If JSON cannot hold a value. `where` names it.
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, f"{where}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{where} is {value}; numbers in a record must be finite")
    if value is None or isinstance(value, str | int | float):
        return value
    raise InputError(f"{where} is a {type(value).__name__}, which JSON cannot hold")


def decode(kind: type[T], value: object, where: str) -> T:
    """Builds a `kind` (a dataclass, or the type of a field) from parsed JSON.

    Raises:
        NewerFormatError: If a field is unknown.
        ValueError: If a field is missing or of another type. `where` leads to it.
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
    known = {field.name: field for field in fields(kind)}
    unknown = [name for name in data if name not in known]
    missing = [n for n, field in known.items() if n not in data and not _is_optional(field)]
    if unknown:
        names = ", ".join(unknown)
        raise NewerFormatError(f"{where} has the unknown field {names}: made by a newer lowlabel")
    if missing:
        raise ValueError(f"{where} lacks {', '.join(missing)}")
    hints = _hints(kind)
    present = [name for name in known if name in data]
    return kind(**{name: _decode(hints[name], data[name], f"{where}.{name}") for name in present})


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _is_optional(field: Field[Any]) -> bool:
    """Whether a reader fills the field where it is absent."""
    return field.default is not MISSING or is_grown(field)


def _expect(kind: Any, value: object, where: str) -> Any:
    if type(value) is not kind:
        raise ValueError(f"{where} is {value!r:.60}, not {kind.__name__}")
    return value
