"""Which ImageNet classes and images mini-ImageNet has, by the lists of Ravi & Larochelle."""

from collections.abc import Collection
from functools import cache
from typing import NamedTuple

from lowlabel.datasets.splits import split_list
from lowlabel.errors import DataError

_MOST_NAMED = 3
_GET = "Get mini-ImageNet with the classes of Ravi & Larochelle: lowlabel list has the sources."


class Member(NamedTuple):
    """A class: its part, and the N of each of its images `WNID_N.JPEG`."""

    part: str
    numbers: frozenset[str]


@cache
def members() -> dict[str, Member]:
    """The classes by WordNet id."""
    return {
        row["wnid"]: Member(row["part"], frozenset(row["images"].split()))
        for row in split_list("mini_imagenet")
    }


def require_members(wnids: Collection[str], source: str) -> None:
    """Raises a `DataError` if `source` has classes that mini-ImageNet does not have."""
    others = sorted(set(wnids) - members().keys())
    if not others:
        return
    tiered = {row["wnid"] for row in split_list("tiered_imagenet")}
    is_tiered = len(set(wnids)) > len(members()) and set(wnids) <= tiered
    what = "tiered-ImageNet" if is_tiered else "a mini-ImageNet of other classes"
    raise DataError(
        f"{source} holds {what}: {len(others):,} of its {len(set(wnids)):,} classes are not among "
        f"mini-ImageNet's 100, such as {', '.join(others[:_MOST_NAMED])}",
        _GET,
    )


def check_members(wnids: Collection[str], source: str, part: str) -> None:
    """Raises a `DataError` if `source` lists other classes than those of `part`."""
    require_members(wnids, source)
    elsewhere = sorted(wnid for wnid in set(wnids) if members()[wnid].part != part)
    if elsewhere:
        raise DataError(
            f"{source} lists {len(elsewhere)} classes as {part} that Ravi & Larochelle's division "
            f"has in another part, such as {elsewhere[0]} ({members()[elsewhere[0]].part})",
            _GET,
        )
