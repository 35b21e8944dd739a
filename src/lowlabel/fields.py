"""Fields of dataclasses: checked when values come from TOML or the command line; and as JSON data.

A field added after files were written is declared with `grown(default)`: it is absent from JSON,
and so from hashes, while it has its default. Older files stay valid and keep their identities.
"""

from collections.abc import Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import MISSING, Field, field, fields, is_dataclass
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from lowlabel.errors import InputError, UnknownNameError
from lowlabel.specs import TYPE_NAMES

T = TypeVar("T")
_ALWAYS = object()  # in place of a default: a field that is never left out


def grown(default: T, *, compare: bool = True) -> T:
    """A dataclass field that is absent from JSON and hashes while it has its default."""
    return field(
        default_factory=lambda: deepcopy(default), metadata={"grown": True}, compare=compare
    )


def is_grown(field: Field[Any]) -> bool:
    """Whether a field was declared with `grown`."""
    return bool(field.metadata.get("grown"))


def encode(value: object) -> Any:
    """JSON data of a value: dataclasses as dicts without grown fields at their default."""
    if value is None or isinstance(value, str | int | float):
        return value
    if is_dataclass(value):
        kind: type = type(value)
        items = ((name, getattr(value, name), default) for name, default in _defaults(kind))
        return {
            n: encode(item) for n, item, default in items if default is _ALWAYS or item != default
        }
    if isinstance(value, Mapping):
        return {key: encode(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [encode(item) for item in value]
    return value


def fit_fields(kind: type, values: Mapping[str, Any], owner: str) -> dict[str, Any]:
    """Checks values for the fields of a dataclass; see `fit`.

    Args:
        kind: The dataclass.
        values: By field name.
        owner: What the options belong to, for messages.

    Raises:
        UnknownNameError: If there is no such field, or a value is not one of its `Literal`.
        InputError: If a value is of another type.
    """
    hints, known = get_type_hints(kind), [field.name for field in fields(kind)]
    for name in values:
        if name not in known:
            raise UnknownNameError(f"option of {owner}", name, known)
    return {name: fit(name, value, hints[name]) for name, value in values.items()}


def fit(name: str, value: Any, kind: Any) -> Any:
    """Converts a value to an annotated type: a list to a tuple, a single value to a tuple of one.

    Types other than basic ones, tuples, paths, unions and `Literal` are left to their owner to
    check.

    Raises:
        UnknownNameError: If the value is none of a `Literal`.
        InputError: If it is of another type.
    """
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        if value not in arguments:
            raise UnknownNameError(name, str(value), map(str, arguments))
        return value
    if origin is UnionType:
        return _fit_union(name, value, arguments)
    if origin is tuple:
        return _fit_tuple(name, value, arguments)
    if kind is Path:
        if not isinstance(value, str | Path):
            raise InputError(f"{name}={value!r} must be a path")
        return Path(value)
    if kind is float and type(value) is int:
        return float(value)
    if kind in TYPE_NAMES and type(value) is not kind:
        raise InputError(f"{name}={value!r} must be {TYPE_NAMES[kind]}")
    return value


def _fit_union(name: str, value: Any, kinds: tuple[Any, ...]) -> Any:
    if value is None and NoneType in kinds:
        return None
    *others, last = (kind for kind in kinds if kind is not NoneType)
    for kind in others:
        with suppress(InputError):
            return fit(name, value, kind)
    if others and {last, *others} <= TYPE_NAMES.keys() and type(value) is not last:
        wanted = " or ".join(TYPE_NAMES[kind] for kind in (*others, last))
        raise InputError(f"{name}={value!r} must be {wanted}")
    return fit(name, value, last)


def _fit_tuple(name: str, value: Any, kinds: tuple[Any, ...]) -> tuple[Any, ...]:
    items = value if isinstance(value, list | tuple) else (value,)
    if kinds[-1] is Ellipsis:
        return tuple(fit(name, item, kinds[0]) for item in items)
    if len(items) != len(kinds):
        raise InputError(f"{name}={value!r} must hold {len(kinds)} values")
    return tuple(fit(name, item, kind) for item, kind in zip(items, kinds, strict=True))


@cache
def _defaults(kind: type) -> tuple[tuple[str, object], ...]:
    """Names of the fields of a dataclass, each with the value that leaves it out of JSON."""
    return tuple((field.name, _grown_default(field)) for field in fields(kind))


def _grown_default(field: Field[Any]) -> object:
    if not is_grown(field):
        return _ALWAYS
    assert field.default_factory is not MISSING
    return field.default_factory()
