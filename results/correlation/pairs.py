"""The measures and the scores of each model on the same images, from records alone."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from lowlabel.results.correlation.ranks import RankCorrelation, kendall, spearman
from lowlabel.results.experiment import OUTSIDE
from lowlabel.results.grid import newest, protocol_facts
from lowlabel.results.metrics import find_metric, metric_order
from lowlabel.results.outdated import made_before
from lowlabel.results.record import Record
from lowlabel.specs import canonical_json

SUITE = "label-free"
FEWEST = 3  # models; two are always in order or in reverse


@dataclass(frozen=True)
class Correlation:
    """One measure beside one score over models.

    Both are taken so that larger is better where the metric has a direction.

    Attributes:
        measure: The label-free measure.
        metric: The metric of the score.
        records: The scored records, one for each model.
        spearman: Spearman's ρ.
        kendall: Kendall's τ-b.
    """

    measure: str
    metric: str
    records: tuple[Record, ...]
    spearman: RankCorrelation
    kendall: RankCorrelation

    @property
    def contaminated(self) -> int:
        """Number of models with a contaminated score."""
        return sum(bool(record.contamination) for record in self.records)


def correlations(records: Iterable[Record]) -> list[Correlation]:
    """Correlates every label-free measure with every score that `compare` tests.

    A score is paired with the measures of the same model, preprocessing and part: those of the same
    embeddings if there are, else those of another pooling. Scores of one column are those of one
    division, part, protocol and method with all its options. Incomplete records and those made
    before a change are left out, and so is what fewer than three models have.
    """
    latest = list({record.identity(): record for record in newest(records)}.values())
    outdated = made_before(latest)
    usable = [r for r in latest if r.complete and r.identity() not in outdated]
    measured: dict[str, list[Record]] = defaultdict(list)
    columns: dict[str, list[Record]] = defaultdict(list)
    for record in usable:
        if record.experiment.suite == SUITE:
            measured[_embedded(record)].append(record)
        else:
            columns[column_key(record)].append(record)
    if not measured:
        return []
    return [each for column in columns.values() for each in _of_column(column, measured)]


def _of_column(
    column: Sequence[Record], measured: Mapping[str, list[Record]]
) -> Iterable[Correlation]:
    """The correlations of one protocol and method on one part, metric by metric."""
    pairs = [
        (record, _closest(record, measured[_embedded(record)]))
        for record in column
        if _embedded(record) in measured
    ]
    measures = sorted({name for _, found in pairs for name in found.scores}, key=metric_order)
    metrics = sorted({name for record, _ in pairs for name in record.shown}, key=metric_order)
    for metric in metrics:
        if not find_metric(metric).compared:
            continue
        for measure in measures:
            both = [
                (record, score, value)
                for record, found in pairs
                if (score := record.score(metric).mean) is not None
                and (value := found.score(measure).mean) is not None
            ]
            if len(both) < FEWEST:
                continue
            x = np.array([find_metric(measure).merit(value) for _, _, value in both])
            y = np.array([find_metric(metric).merit(value) for _, value, _ in both])
            scored = tuple(record for record, _, _ in both)
            yield Correlation(measure, metric, scored, spearman(x, y), kendall(x, y))


def _closest(record: Record, found: Sequence[Record]) -> Record:
    """The measures of the very embeddings that were scored, else the latest of another pooling."""
    part = record.experiment.dataset.split
    key = record.experiment.feature_keys.get(part)
    same = [each for each in found if each.experiment.feature_keys.get(part) == key]
    return max(same or found, key=lambda each: each.created)


def _embedded(record: Record) -> str:
    """What a score and its measures share: the model as it was applied, and the images."""
    e = record.experiment
    model = {k: v for k, v in asdict(e.model).items() if k not in (*OUTSIDE, "pooling")}
    d = e.dataset
    return canonical_json([model, d.name, d.scheme, d.split, d.images])


def column_key(record: Record) -> str:
    """What the scores of one column share: everything but the model."""
    e, d = record.experiment, record.experiment.dataset
    protocol = [e.suite, e.protocol.name, protocol_facts(record)]
    method = [record.row_label, e.method.options, e.method.version, e.method.transductive]
    return canonical_json([d.name, d.scheme, d.split, d.manifest_sha256, *protocol, *method])
