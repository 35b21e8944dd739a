"""Comparisons of several sides as Markdown: ranks first, then every pair."""

from collections.abc import Iterable

from tabulate import tabulate

from lowlabel.escaping import markdown_cell, markdown_text
from lowlabel.results.comparison.render import render_comparison
from lowlabel.results.comparison.several import Comparison
from lowlabel.results.ranks import CriticalDifference, Ranks
from lowlabel.results.ranks.critical_difference import MIN_DATASETS

_NO_RANKS = "No ranks: there is no score that all sides have on the same tasks, queries or images."


def render_several(comparison: Comparison) -> str:
    """The result of `compare_several` as Markdown."""
    ranks = _ranks(comparison.ranks) if comparison.ranks else _NO_RANKS
    parts = ["## Ranks", ranks, *_critical(comparison), render_comparison(comparison.pairs)]
    return "\n\n".join(parts)


def _ranks(ranks: Ranks) -> str:
    shared = {name: _groups_of(name, ranks.groups) for name in ranks.ranks}
    rows = [
        {
            "Side": markdown_cell(name),
            "Mean rank": f"{rank:.2f}",
            "95 %": f"{ranks.intervals[name][0]:.2f}–{ranks.intervals[name][1]:.2f}",
            "Group": shared[name],
        }
        for name, rank in ranks.ranks.items()
    ]
    table = tabulate(rows, headers="keys", tablefmt="pipe", disable_numparse=True)
    total = sum(ranks.units.values())
    drawn = ", ".join(f"{count:,} over {unit}" for unit, count in ranks.units.items())
    return (
        f"{table}\n\nMean ranks over {total:,} scores that all sides have (1 is the best), with "
        f"parametric bootstrap intervals: {drawn}. Sides with a letter in common cannot be told "
        "apart (5 %, Holm over all pairs)."
    )


def _groups_of(name: str, groups: Iterable[tuple[str, ...]]) -> str:
    """Letters of the groups that a side belongs to; numbers beyond z."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    named = (letters[i] if i < len(letters) else str(i) for i, g in enumerate(groups) if name in g)
    return " ".join(named)


def _critical(comparison: Comparison) -> Iterable[str]:
    if not comparison.critical:
        yield f"Friedman's test needs {MIN_DATASETS} datasets that all sides share."
    for kind, found in comparison.critical.items():
        yield f"{markdown_text(kind)}: {_friedman(found)}"


def _friedman(found: CriticalDifference) -> str:
    ranks = ", ".join(f"{markdown_text(name)} {rank:.2f}" for name, rank in found.ranks.items())
    groups = "; ".join(", ".join(map(markdown_text, group)) for group in found.groups)
    return (
        f"Friedman's test over {found.datasets} datasets: p = {found.p:.3g}. Mean ranks {ranks}; "
        f"critical difference (Nemenyi, 5 %) {found.distance:.2f}. "
        f"Not told apart: {groups or 'none'}."
    )
