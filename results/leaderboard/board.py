"""Records with their leaderboards, which are arranged once for every format."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lowlabel.results.leaderboard.best import FindScored, unscored
from lowlabel.results.leaderboard.sections import Section, leaderboard
from lowlabel.results.record import Record

_NOTHING: Mapping[str, str] = {}


@dataclass(frozen=True)
class Board:
    """Records and their leaderboards.

    Attributes:
        records: The records.
        sections: Their tables; see `leaderboard`.
    """

    records: tuple[Record, ...]
    sections: tuple[Section, ...]


def make_board(
    records: Iterable[Record],
    published: Mapping[str, str] = _NOTHING,
    scored: FindScored = unscored,
) -> Board:
    """Arranges records; the arguments are those of `leaderboard`.

    Raises:
        InputError: If there are no records.
    """
    every = tuple(records)
    return Board(every, tuple(leaderboard(every, published, scored)))


def board_of(records: Iterable[Record] | Board, published: Mapping[str, str] = _NOTHING) -> Board:
    """The board itself, or that of records."""
    return records if isinstance(records, Board) else make_board(records, published)
