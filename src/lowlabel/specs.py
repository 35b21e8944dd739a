"""Specs: a name with options as `NAME[,option=value…]`, such as `ncm,norm=cl2n`."""

import ast
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Self

from lowlabel.errors import InputError

TYPE_NAMES = {str: "text", float: "a number", int: "a whole number", bool: "True or False"}

Option = str | int | float | bool | None | tuple[int | float, ...]


def added_option(default: Any) -> Any:
    """An option added after records were written: absent from `options` at its default."""
    return field(default=default, metadata={"grown": True})


@dataclass(frozen=True)
class Configurable:
    """An object whose dataclass fields are the options of its spec.

    Attributes:
        name: The name in a spec such as `ncm,norm=cl2n`.
        version: Version of the arithmetic; raised when the same options would give other numbers.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1

    @classmethod
    def from_options(cls, options: Mapping[str, Option]) -> Self:
        """Builds the object from the options of a spec.

        Raises:
            InputError: If an option is unknown, of another type, or out of range.
        """
        defaults = {field.name: field.default for field in fields(cls)}
        for option in options:
            if option not in defaults:
                known = ", ".join(defaults) or "none"
                raise InputError(f"{cls.name} has no option {option!r}", f"Its options: {known}.")
        return cls(
            **{
                option: _as_type_of(defaults[option], value, f"{option}={value} of {cls.name}")
                for option, value in options.items()
            }
        )

    @property
    def options(self) -> dict[str, Option]:
        """All options with their values, defaults included; see `added_option` for exceptions."""
        values = ((field, getattr(self, field.name)) for field in fields(self))
        return {
            field.name: value
            for field, value in values
            if not field.metadata.get("grown") or value != field.default
        }

    @property
    def arithmetic(self) -> int:
        """Version of the arithmetic of these options: `version`, unless only some were changed."""
        return self.version

    @property
    def spec(self) -> str:
        """The canonical spec: the name and the options that differ from the default."""
        defaults = {field.name: field.default for field in fields(self)}
        changed = {name: value for name, value in self.options.items() if value != defaults[name]}
        return format_spec(self.name, changed)

    def require_one_of(self, option: str, allowed: tuple[str, ...]) -> None:
        """Raises an `InputError` unless the option's value is one of `allowed`."""
        value = getattr(self, option)
        if value not in allowed:
            raise InputError(
                f"{option}={value} is not possible for {self.name}",
                f"Possible: {', '.join(allowed)}.",
            )

    def require_positive(self, option: str) -> None:
        """Raises an `InputError` unless the option's value is positive and finite."""
        value = getattr(self, option)
        if not 0 < value < float("inf"):
            raise InputError(f"{option}={value} of {self.name} must be positive and finite")


def parse_spec(spec: str) -> tuple[str, dict[str, Option]]:
    """Splits `NAME[,option=value…]` into the name and its options.

    A value that is a Python literal (`0.5`, `True`, `(64, 64)`) is read as such, any other as text.
    Commas inside brackets belong to the value.

    Raises:
        InputError: If an option has no value or no name, or is given twice.
    """
    name, *assignments = _split_outside_brackets(spec)
    options: dict[str, Option] = {}
    for assignment in assignments:
        key, separator, value = assignment.partition("=")
        key = key.strip()
        if not separator or not key.isidentifier() or not value.strip():
            raise InputError(
                f"{assignment!r} in {spec!r} is not an option",
                "Options are written NAME,option=value,option=value.",
            )
        if key in options:
            raise InputError(f"option {key!r} is given twice in {spec!r}")
        options[key] = _literal(value.strip())
    return name.strip(), options


def require_text(kind: str, spec: object) -> None:
    """Raises an `InputError` unless a spec is text."""
    if not isinstance(spec, str):
        raise InputError(f"{spec!r} is not the name of a {kind}", "Write it as NAME,option=value.")


def format_spec(name: str, options: Mapping[str, Option]) -> str:
    """The inverse of `parse_spec`, with options in alphabetical order."""
    return ",".join([name, *(f"{key}={options[key]}" for key in sorted(options))])


def parse_setting(setting: str) -> tuple[str, Option]:
    """Splits `option=value`, as `--set` takes it; the value is read as in `parse_spec`.

    Raises:
        InputError: If there is no `=`, or nothing on one side of it.
    """
    name, separator, value = setting.partition("=")
    if not separator or not name.strip() or not value.strip():
        raise InputError(f"--set {setting!r} is not an option", "Write --set option=value.")
    truth = {"true": True, "false": False}  # as TOML writes them
    return name.strip(), truth.get(value.strip(), _literal(value.strip()))


def canonical_json(value: object) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text, so it can be hashed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def json_sha256(value: object) -> str:
    """SHA-256 of the canonical JSON."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def natural_order(text: str) -> list[tuple[int, str]]:
    """Sort key that takes numbers by value: "5-way 5-shot" before "5-way 10-shot"."""
    parts = re.findall(r"\d+|\D+", text)
    return [(int(part), "") if part.isdigit() else (0, part) for part in parts]


def _split_outside_brackets(text: str) -> list[str]:
    parts, depth = [""], 0
    for character in text:
        depth += (character in "([") - (character in ")]")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _literal(text: str) -> Option:
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    if isinstance(value, list):
        value = tuple(value)
    return value if isinstance(value, str | int | float | bool | tuple | None) else text


def _as_type_of(default: Any, value: Option, what: str) -> Any:
    wanted = type(default)
    if wanted is float and type(value) is int:
        return float(value)
    if type(value) is not wanted:
        raise InputError(f"{what} must be {TYPE_NAMES[wanted]}")
    return value
