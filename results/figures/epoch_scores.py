"""Scores of the checkpoints of pretraining runs, by run and epoch."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lowlabel.results.figures.curves import applied
from lowlabel.results.grid import newest
from lowlabel.results.labels import CONTAMINATED, distinctions
from lowlabel.results.outdated import made_before
from lowlabel.results.record import Record
from lowlabel.specs import canonical_json, natural_order

_EPOCH = re.compile(r"[ _-]*(?:epoch|checkpoint|ckpt)[ _-]*\d+$", re.IGNORECASE)


class EpochScore(NamedTuple):
    """One score: epoch of the pretraining, mean and half-width of its interval."""

    epoch: float
    mean: float
    ci95: float


@dataclass(frozen=True)
class EpochCurve:
    """The scores of one run with one method.

    Attributes:
        run: The run, which is the name of its models without the epoch.
        method: The method.
        scores: The latest score of each epoch, by epoch; at least two.
    """

    run: str
    method: str
    scores: tuple[EpochScore, ...]


EpochPanels = Mapping[str, Sequence[EpochCurve]]


def epoch_panels(records: Iterable[Record], metric: str) -> EpochPanels:
    """Curves of a metric by dataset and protocol, from the latest record of each epoch.

    Models whose weights name no epoch have no point, nor have incomplete records and those made
    before a change of the arithmetic. A run with one epoch is no curve.
    """
    latest = newest(records)
    outdated = made_before(latest)
    kept = [
        record
        for record in latest
        if record.experiment.model.epochs is not None
        and record.score(metric).mean is not None
        and record.identity() not in outdated
    ]
    panels: dict[str, list[Record]] = defaultdict(list)
    for record, title in zip(kept, _titles(kept), strict=True):
        panels[title].append(record)
    curves = {title: _curves(panels[title], metric) for title in sorted(panels, key=natural_order)}
    return {title: found for title, found in curves.items() if found}


def epoch_metrics(records: Iterable[Record]) -> list[str]:
    """Names of the metrics that models with an epoch were scored by, in no order."""
    scored = (record for record in records if record.experiment.model.epochs is not None)
    return list(dict.fromkeys(name for record in scored for name in record.scores))


def _titles(records: Sequence[Record]) -> list[str]:
    """Dataset and protocol of each record, made unique."""
    names, facts = [], []
    for record in records:
        experiment = record.experiment
        dataset, protocol = experiment.dataset, experiment.protocol
        names.append(f"{dataset.title} ({dataset.scheme}) {dataset.split}, {protocol.name}")
        facts.append({"manifest": dataset.manifest_sha256, "suite": experiment.suite})
        facts[-1] |= {name: canonical_json(value) for name, value in protocol.options.items()}
    added = distinctions(names, facts)
    return [name + suffix for name, suffix in zip(names, added, strict=True)]


def _curves(records: Sequence[Record], metric: str) -> tuple[EpochCurve, ...]:
    runs = [_EPOCH.sub("", record.experiment.model.name) or "checkpoints" for record in records]
    keys = [(run, record.row_label) for run, record in zip(runs, records, strict=True)]
    added = distinctions(keys, [applied(record) for record in records])
    grouped: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for (run, method), suffix, record in zip(keys, added, records, strict=True):
        grouped[run + suffix, method].append(record)
    curves = (_curve(run, method, found, metric) for (run, method), found in grouped.items())
    return tuple(
        sorted(
            (curve for curve in curves if len(curve.scores) > 1),
            key=lambda curve: (natural_order(curve.run), curve.method),
        )
    )


def _curve(run: str, method: str, records: Sequence[Record], metric: str) -> EpochCurve:
    scores: dict[float, EpochScore] = {}
    for record in sorted(records, key=lambda record: record.created):
        epoch, score = record.experiment.model.epochs, record.score(metric)
        assert epoch is not None and score.mean is not None  # others are left out
        scores[epoch] = EpochScore(epoch, score.mean, score.ci95 or 0.0)
    mark = f" {CONTAMINATED}" if any(record.contamination for record in records) else ""
    return EpochCurve(run + mark, method, tuple(sorted(scores.values())))
