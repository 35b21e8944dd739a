"""What a section of a leaderboard says about its records."""

from collections.abc import Iterable, Sequence

from lowlabel.results.labels import (
    CONTAMINATED,
    column_notes,
    counted,
    dataset_notes,
    tuned_label,
)
from lowlabel.results.metrics import TABLE_PER_METRIC
from lowlabel.results.record import Record
from lowlabel.specs import natural_order

PROTOCOLS_AS_COLUMNS = frozenset({"fewshot", "label-budget"})


def section_notes(records: Sequence[Record]) -> Iterable[str]:
    """What was scored, and what is unusual about the dataset or the models."""
    dataset = records[0].experiment.dataset
    if dataset.partial:
        parts = "; ".join(str(part) for part in dataset.partial)
        yield f"Partial data: {parts}. Published numbers are of the full set: no Δ."
    if dataset.declared:
        yield f"Declared by the user, and not seen here: features of {dataset.declared}."
    if dataset.without:
        without = dict.fromkeys(str(record.experiment.dataset.without) for record in records)
        yield f"Left out: {'; '.join(without)}. Published numbers are of the full set: no Δ."
    if dataset.bad_images:
        yield f"Images that could not be read and were left out: {dataset.bad_images:,}."
    yield from column_notes(records)
    yield from dataset_notes(records)
    complete = [record for record in records if record.complete]
    yield f"Scored: {_counted(complete)}." if complete else "No run is complete."
    chosen = [
        f"{e.protocol.name}, {e.model.name}: {record.chosen['method']}"
        for record in records
        if (e := record.experiment).method.is_tuned and "method" in record.chosen
    ]
    if chosen:
        yield f"Chosen by tuning: {'; '.join(sorted(chosen, key=natural_order))}."
    tuned = {tuned_label(r.experiment.model) for r in records if r.experiment.model.tuning}
    if tuned:
        yield f"Tuned: {'; '.join(sorted(tuned, key=natural_order))}."
    for reason in dict.fromkeys(r for record in records for r in record.contamination):
        yield f"{CONTAMINATED} contaminated, never bold: {reason}"


def _counted(records: Sequence[Record]) -> str:
    suite = records[0].experiment.suite
    if suite in TABLE_PER_METRIC:
        return counted([(r.experiment.protocol.name, r.counts) for r in records])
    named = suite in PROTOCOLS_AS_COLUMNS
    texts = (
        f"{r.experiment.protocol.name}: " * named
        + ", ".join(f"{number:,} {what}" for what, number in r.counts.items())
        for r in records
    )
    return "; ".join(dict.fromkeys(texts))
