"""Published numbers, and which of them a record may be compared with.

The files `reference/*.csv` hold one number per line. A line names a model of the suite only if
weights, preprocessing, split and protocol are known to agree; other lines are listed, but no
difference from them is shown.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from lowlabel.results.decode import plain
from lowlabel.results.record import Record
from lowlabel.specs import Option, parse_spec


@dataclass(frozen=True)
class Reference:
    """One published number.

    Attributes:
        suite: "fewshot", "classification" or "retrieval".
        dataset: Name of the dataset, always the full dataset.
        scheme: Name of the division; empty if the source does not state it.
        protocol: "5-way 1-shot", "dml-zeroshot".
        metric: "accuracy", "recall@1", ….
        method: Name of the method in the source.
        method_name: Method of the suite that computes the same; empty if there is none.
        method_options: Options that a record of the method must have.
        transductive: Whether the queries of a task are classified together.
        embedder: Name of the embedding model in the source.
        models: Specs of the suite's model with the same weights; empty if there is none.
        conditions: What else must agree: {"pooling": "cls", "resize": 256, "queries": 15}.
        training: "frozen", "fine-tuned" on the train classes of the dataset, or empty if not
            stated.
        value: In percent.
        printed: The value as printed, with its digits and interval.
        ci95: Half width of the published interval; None if none is printed.
        source: Where it is printed.
        arxiv: arXiv id of the source; empty if it has none.
        note: A remark for the reader.
    """

    suite: str
    dataset: str
    scheme: str
    protocol: str
    metric: str
    method: str
    method_name: str
    method_options: dict[str, Option]
    transductive: bool
    embedder: str
    models: tuple[str, ...]
    conditions: dict[str, Option]
    training: str
    value: float
    printed: str
    ci95: float | None
    source: str
    arxiv: str
    note: str

    def applies_to(self, record: Record) -> bool:
        """Whether a record was made under the same conditions, whatever its metrics."""
        e = record.experiment
        ours = (e.suite, e.dataset.name, e.dataset.scheme, e.protocol.name, e.method.name)
        theirs = (self.suite, self.dataset, self.scheme, self.protocol, self.method_name)
        if ours != theirs or e.dataset.partial or e.dataset.bad_images:
            return False
        circumstances = {"pooling": e.model.pooling, **e.model.transform, **e.protocol.options}
        return (
            e.model.spec in self.models
            and _agree(self.method_options, _method_options(record))
            and _agree(self.conditions, circumstances)
        )


@cache
def load_references() -> tuple[Reference, ...]:
    """All published numbers. SSL-ViT's tables come before other sources of the same number."""
    folder = files("lowlabel.results") / "reference"
    tables = sorted(folder.iterdir(), key=lambda table: table.name)
    return tuple(
        _reference(row)
        for table in tables
        for row in csv.DictReader(table.read_text(encoding="utf-8").splitlines())
    )


def find_reference(record: Record, metric: str) -> Reference | None:
    """The published number of the same model, method, full dataset, division and protocol."""
    for reference in load_references():
        if reference.metric == metric and reference.applies_to(record):
            return reference
    return None


def published_rows(suite: str, dataset: str, protocol: str) -> list[Reference]:
    """Every number published for a dataset and protocol, comparable with a record or not."""
    wanted = (suite, dataset, protocol)
    return [r for r in load_references() if (r.suite, r.dataset, r.protocol) == wanted]


def _reference(row: dict[str, str]) -> Reference:
    ci95 = row["ci95"]
    method_name, method_options = parse_spec(row["method_spec"])
    return Reference(
        suite=row["suite"],
        dataset=row["dataset"],
        scheme=row["scheme"],
        protocol=row["protocol"],
        metric=row["metric"],
        method=row["method"],
        method_name=method_name,
        method_options=method_options,
        transductive=row["transductive"] == "yes",
        embedder=row["embedder"],
        models=tuple(row["models"].split(";")) if row["models"] else (),
        conditions=parse_spec(f"conditions,{row['conditions']}")[1] if row["conditions"] else {},
        training=row["training"],
        value=float(row["value"]),
        printed=f"{row['value']}±{ci95}" if ci95 else row["value"],
        ci95=float(ci95) if ci95 else None,
        source=row["source"],
        arxiv=row["arxiv"],
        note=row["note"],
    )


def _method_options(record: Record) -> dict[str, object]:
    """The options that the method was run with, chosen ones included."""
    method = record.experiment.method
    if not method.is_tuned:
        return method.options
    return method.options | parse_spec(str(record.chosen.get("method", method.spec)))[1]


def _agree(wanted: Mapping[str, Option], found: Mapping[str, object]) -> bool:
    return all(
        key in found and plain(found[key], key) == plain(value, key)
        for key, value in wanted.items()
    )
