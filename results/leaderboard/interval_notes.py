"""What a table says about its ±: where it is of another kind, where there is none, and why."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from lowlabel.errors import number_of
from lowlabel.results.kinds import default_kind, kind_of_items, shown_kind
from lowlabel.results.record import Record
from lowlabel.specs import natural_order

_MOST_NAMED = 6


def interval_notes(records: Sequence[Record], published: bool) -> Iterable[str]:
    """Notes on the intervals of one section.

    Args:
        records: The records of the section.
        published: Whether scores stand beside published numbers.
    """
    suite = records[0].experiment.suite
    complete = [record for record in records if record.complete]
    by_kind, without = defaultdict(list), defaultdict(list)
    for record in complete:
        if any(score.ci95 is not None for score in record.scores.values()):
            by_kind[shown_kind(record)].append(record)
        for reason in _reasons(record):
            without[reason].append(record)
    usual = default_kind(suite) if default_kind(suite) in by_kind else next(iter(by_kind), "")
    for kind, those in by_kind.items():
        if kind != usual:
            yield f"± over {kind}, not over {usual}: {_named(those)}."
    for reason, those in without.items():
        yield f"No ± of {_named(those)}; {reason}."
    items = kind_of_items(suite)
    if published and any(kind != items for kind in by_kind):
        yield f"Beside the published numbers, ± is over {items}, as papers have it."


def interval_definitions(records: Iterable[Record]) -> Iterable[str]:
    """The formulas of the intervals that tables show."""
    for record in records:
        shown = any(score.ci95 is not None for score in record.scores.values())
        if shown or not record.interval:
            yield record.ci95_definition


def _reasons(record: Record) -> Iterable[str]:
    """Why scores of a record lack the kind of interval that it shows."""
    kinds = (
        found[record.interval] for found in record.intervals.values() if record.interval in found
    )
    return dict.fromkeys(each.definition for each in kinds if each.half_width is None)


def _named(records: Sequence[Record]) -> str:
    """The rows of records, or their number if they are many."""
    rows = dict.fromkeys(
        f"{record.experiment.model.name} with {record.row_label}" for record in records
    )
    if len(rows) > _MOST_NAMED:
        return f"{number_of(len(rows), 'rows')}"
    return ", ".join(sorted(rows, key=natural_order))
