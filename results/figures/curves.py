"""Scores of label budgets as curves: by dataset, method and model."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lowlabel.results.grid import newest
from lowlabel.results.labels import CONTAMINATED, TRANSDUCTIVE, distinctions
from lowlabel.results.outdated import made_before
from lowlabel.results.record import Record
from lowlabel.results.reference.numbers import load_references
from lowlabel.specs import canonical_json

SUITE = "label-budget"
METRIC = "top1"


class Point(NamedTuple):
    """One score: labels per class, mean and half-width of its interval in percent."""

    labels: float
    mean: float
    ci95: float


@dataclass(frozen=True)
class Curve:
    """The scores of one model with one method on one dataset.

    Attributes:
        model: Name in the legend.
        per_class: Scores with a number of labels per class, ascending.
        shares: Scores with a share of each class or a list, by labels per class on average.
    """

    model: str
    per_class: tuple[Point, ...]
    shares: tuple[Point, ...]


Panels = Mapping[str, Mapping[str, Sequence[Curve]]]
FROM_LABELS = "from-labels"  # the method of networks without a frozen model


def panels(records: Iterable[Record]) -> Panels:
    """Curves by dataset and method, from the latest record of each experiment.

    Incomplete records, and those made before a change of the arithmetic, have no point. Networks
    that are trained from labels stand beside the frozen models in the panel of every method, as do
    the published numbers of the dataset.
    """
    latest = newest(records)
    outdated = made_before(latest)
    kept = [
        record
        for record in latest
        if record.experiment.suite == SUITE
        and record.score(METRIC).mean is not None
        and record.identity() not in outdated
    ]
    titles = _titles(kept)
    grouped: dict[str, dict[str, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for record in kept:
        mark = f" {TRANSDUCTIVE}" if record.experiment.method.transductive else ""
        grouped[titles[_dataset(record)]][record.row_label + mark].append(record)
    return {dataset: _beside(methods) for dataset, methods in sorted(grouped.items())}


def _beside(methods: Mapping[str, list[Record]]) -> dict[str, tuple[Curve, ...]]:
    """The curves of each method, beside those that belong to none."""
    trained = _curves(methods.get(FROM_LABELS, []))
    first = next(iter(methods.values()))[0].experiment.dataset
    everywhere = trained + published_curves(first.name)
    frozen = sorted(methods.keys() - {FROM_LABELS}) or [FROM_LABELS]
    return {
        method: (_curves(methods[method]) if method != FROM_LABELS else ()) + everywhere
        for method in frozen
    }


def published_curves(dataset: str) -> tuple[Curve, ...]:
    """The published numbers of a dataset by labels per class, a curve for each network."""
    found: dict[str, list[Point]] = defaultdict(list)
    for row in load_references():
        if (row.suite, row.dataset, row.metric) == (SUITE, dataset, METRIC):
            labels = float(row.protocol.rpartition(" ")[2])
            found[f"{row.embedder} ({row.source})"].append(Point(labels, row.value, 0.0))
    return tuple(Curve(name, tuple(sorted(points)), ()) for name, points in sorted(found.items()))


def _titles(records: Sequence[Record]) -> dict[str, str]:
    """The title of each dataset, made unique."""
    heads = {_dataset(record): record.experiment.dataset for record in records}
    names = [f"{dataset.title} ({dataset.scheme})" for dataset in heads.values()]
    added = distinctions(names, [{"manifest": d.manifest_sha256} for d in heads.values()])
    return {key: name + suffix for key, name, suffix in zip(heads, names, added, strict=True)}


def _dataset(record: Record) -> str:
    dataset = record.experiment.dataset
    return canonical_json([dataset.name, dataset.scheme, dataset.manifest_sha256])


def _curves(records: Sequence[Record]) -> tuple[Curve, ...]:
    """A curve for each model and way to draw; lists, which are not drawn, join those of a model."""
    lists: dict[str, list[Record]] = defaultdict(list)
    drawn: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in records:
        model = canonical_json([record.experiment.model.name, _facts(record)])
        if "list" in record.experiment.protocol.options:
            lists[model].append(record)
        else:
            drawn[model, canonical_json(_drawing(record))].append(record)
    for model in lists.keys() - {model for model, _ in drawn}:
        drawn[model, ""] = []
    every = {key: found + lists[key[0]] for key, found in drawn.items()}
    heads = [found[0] for found in every.values()]
    names = [record.experiment.model.name for record in heads]
    added = distinctions(names, [_facts(record) | _drawing(record) for record in heads])
    named = zip(names, added, every.values(), strict=True)
    curves = [_curve(name + suffix, found) for name, suffix, found in named]
    return tuple(sorted(curves, key=lambda curve: curve.model))


def _curve(name: str, records: Sequence[Record]) -> Curve:
    mark = f" {CONTAMINATED}" if any(record.contamination for record in records) else ""
    counted = [r for r in records if r.experiment.protocol.name.startswith("per class")]
    others = [r for r in records if not r.experiment.protocol.name.startswith("per class")]
    return Curve(name + mark, _points(counted), _points(others))


def _points(records: Iterable[Record]) -> tuple[Point, ...]:
    points = []
    for record in records:
        score = record.score(METRIC)
        assert score.mean is not None  # others are left out
        labels = record.counts["labelled"] / record.counts["classes"]
        points.append(Point(labels, score.mean, score.ci95 or 0.0))
    return tuple(sorted(points))


def _drawing(record: Record) -> dict[str, object]:
    options = record.experiment.protocol.options
    return {name: options.get(name) for name in ("draws", "seed")}


def _facts(record: Record) -> dict[str, object]:
    return {"weights": record.experiment.model.weights_sha256, **applied(record)}


def applied(record: Record) -> dict[str, object]:
    """How the model was applied."""
    model = record.experiment.model
    return {
        "pooling": model.pooling,
        "resolution": model.resolution,
        "dtype": model.dtype,
        "transform": canonical_json(model.transform),
    }
