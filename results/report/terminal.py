"""Leaderboards for a terminal: the main table of each section, short."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from lowlabel.errors import number_of
from lowlabel.escaping import markdown_text
from lowlabel.results.grid import Grid
from lowlabel.results.labels import BEFORE, CONTAMINATED, INCOMPLETE
from lowlabel.results.leaderboard import Board, Section, Table, board_of
from lowlabel.results.record import Record
from lowlabel.results.render import markdown_table

LINES = 40  # of all sections together
_FEWEST_ROWS = 3
_AROUND = 5  # lines of a section besides its rows
_ELSEWHERE = "±: 95 % intervals; what they are about, all notes and provenance: leaderboard.md."
_SERIOUS = ("Partial data", "Left out", "Images that", CONTAMINATED, BEFORE, INCOMPLETE)


def render_terminal(records: Iterable[Record] | Board, lines: int = LINES) -> str:
    """The first table of each section, with the best method of each model first in line.

    What is left out is counted; notes that question a score stay.

    Args:
        records: The records.
        lines: Number of lines to keep to, as far as three rows in each table allow.
    """
    sections = board_of(records).sections
    rows = max(_FEWEST_ROWS, lines // len(sections) - _AROUND)
    tables = "\n\n".join(_section(section, rows) for section in sections)
    return f"{tables}\n\n{_ELSEWHERE}"


def _section(section: Section, most: int) -> str:
    table, grid = section.tables[0], section.grid
    assert grid is not None
    shown = _chosen(grid, most)
    lines = [
        f"{markdown_text(section.title)}: {markdown_text(table.caption)}",
        markdown_table(_only(table, shown)),
        *(markdown_text(note) for note in section.notes if note.startswith(_SERIOUS)),
    ]
    more = [
        number_of(count, f"more {name}")
        for count, name in (
            (len(grid.rows) - len(shown), "rows"),
            (len(section.tables) - 1, "tables"),
        )
        if count
    ]
    return "\n".join(lines + ([f"({', '.join(more)} in leaderboard.md)"] if more else []))


def _chosen(grid: Grid, most: int) -> list[int]:
    """The first row of each model, then the others, in the order of the grid."""
    first: dict[str, int] = {}
    for index, row in enumerate(grid.rows):
        first.setdefault(row.model, index)
    others = (index for index in range(len(grid.rows)) if index not in first.values())
    return sorted([*first.values(), *others][:most])


def _only(table: Table, rows: Sequence[int]) -> Table:
    bold = {(rows.index(row), column) for row, column in table.bold if row in rows}
    return replace(table, frame=table.frame.iloc[list(rows)], bold=frozenset(bold))
