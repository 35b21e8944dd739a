"""Published numbers, which records are comparable with them, and both side by side."""

from lowlabel.results.reference.numbers import (
    CONDITIONS,
    TRAITS,
    Reference,
    find_reference,
    load_references,
    published_rows,
)
from lowlabel.results.reference.traits import parse_traits

__all__ = [
    "CONDITIONS",
    "TRAITS",
    "Reference",
    "find_reference",
    "load_references",
    "parse_traits",
    "published_rows",
]
