"""Kinds of intervals by suite: the one that tables show, and the one over the scored items."""

from lowlabel.results.record import Record

_SHOWN = {"fewshot": "images", "retrieval": "classes"}
_OF_ITEMS = {"fewshot": "tasks", "retrieval": "queries"}


def default_kind(suite: str) -> str:
    """The kind of interval that a suite's scores have by default."""
    return _SHOWN.get(suite, "images")


def kind_of_items(suite: str) -> str:
    """The kind over the tasks, queries or images that are scored: that of published numbers."""
    return _OF_ITEMS.get(suite, "images")


def kind_of_values(record: Record, metric: str) -> str:
    """The kind over the values that stand beside a record: of clusters, one for each seed."""
    if "seeds" in record.intervals.get(metric, {}):
        return "seeds"
    return kind_of_items(record.experiment.suite)


def shown_kind(record: Record) -> str:
    """The kind of interval in the scores of a record; older records have that over the items."""
    return record.interval or kind_of_items(record.experiment.suite)


def published_half_width(record: Record, metric: str) -> float | None:
    """Half-width of the kind of interval that published numbers have."""
    if not record.intervals.get(metric):
        return record.score(metric).ci95
    return record.half_width(metric, kind_of_items(record.experiment.suite))
