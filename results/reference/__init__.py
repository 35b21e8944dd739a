"""Published numbers, which records are comparable with them, and both side by side."""

from lowlabel.results.reference.numbers import (
    CONDITIONS,
    Reference,
    find_reference,
    load_references,
    published_rows,
)

__all__ = ["CONDITIONS", "Reference", "find_reference", "load_references", "published_rows"]
