"""Reads structs in Thrift's compact protocol, in which the headers of parquet's pages are written.

https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from typing import Any

_DEEPEST = 8  # structs inside each other
_LONGEST = 10  # bytes of a number
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _STRUCT = 1, 2, 3, 7, 8, 12
_NUMBERS = (4, 5, 6)  # of 16, 32 and 64 bits

_Data = bytes | memoryview


def read_struct(data: _Data, at: int = 0, depth: int = 0) -> tuple[dict[int, Any], int]:
    """Reads a struct.

    Args:
        data: What holds it.
        at: Where it begins.
        depth: How many structs it is in.

    Returns:
        The values of its fields by their numbers, and where it ends.

    Raises:
        ValueError: If a field is a list, a set or a map, which no header of a page has, or structs
            nest too deeply.
        IndexError: If the data end before it does.
    """
    if depth > _DEEPEST:
        raise ValueError("structs nest too deeply")
    fields: dict[int, Any] = {}
    number = 0
    while mark := data[at]:
        at += 1
        kind, step = mark & 15, mark >> 4
        if step:
            number += step
        else:
            number, at = _signed(data, at)
        fields[number], at = _value(data, at, kind, depth)
    return fields, at + 1


def _value(data: _Data, at: int, kind: int, depth: int) -> tuple[Any, int]:
    if kind in (_TRUE, _FALSE):
        return kind == _TRUE, at
    if kind in _NUMBERS:
        return _signed(data, at)
    if kind == _STRUCT:
        return read_struct(data, at, depth + 1)
    if kind == _BINARY:
        length, at = read_varint(data, at)
    elif kind in (_BYTE, _DOUBLE):
        length = 1 if kind == _BYTE else 8
    else:
        raise ValueError(f"a field of type {kind}")
    return bytes(data[at : at + length]), at + length


def read_varint(data: _Data, at: int) -> tuple[int, int]:
    """Reads a whole number of 7 bits a byte from a place; returns it and where it ends."""
    number = 0
    for place in range(_LONGEST):
        byte = data[at + place]
        number |= (byte & 127) << (7 * place)
        if byte < 128:
            return number, at + place + 1
    raise ValueError(f"a number of more than {_LONGEST} bytes")


def _signed(data: _Data, at: int) -> tuple[int, int]:
    number, at = read_varint(data, at)
    return number >> 1 ^ -(number & 1), at
