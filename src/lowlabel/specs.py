"""The one notation for a thing with options: `NAME[,option=value…]`, as in `ncm,norm=cl2n`."""

import ast
import json
from collections.abc import Mapping

from lowlabel.errors import InputError

Option = str | int | float | bool | None | tuple[int | float, ...]


def parse_spec(spec: str) -> tuple[str, dict[str, Option]]:
    """Splits `NAME[,option=value…]` into the name and its options.

    A value is read as a Python literal where it is one (`0.5`, `True`, `(64, 64)`), else as text.
    Commas inside brackets belong to the value.

    Raises:
        InputError: If an option has no value, no name, or is given twice.
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
            raise InputError(f"option {key!r} stands twice in {spec!r}")
        options[key] = _literal(value.strip())
    return name.strip(), options


def format_spec(name: str, options: Mapping[str, Option]) -> str:
    """The inverse of `parse_spec`, with options in alphabetical order."""
    return ",".join([name, *(f"{key}={options[key]}" for key in sorted(options))])


def canonical_json(value: object) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text, so it can be hashed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


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
