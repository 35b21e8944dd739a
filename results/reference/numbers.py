"""Published numbers, and which of them a record may be compared with.

Each file `*.csv` beside this one is a published table, or a source's few numbers, and holds one
number per line. A line names a model of the suite only
if the conditions of its authors are known and the suite can repeat them; other lines are listed,
but no difference from them is shown.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from lowlabel.results.decode import plain
from lowlabel.results.experiment import DatasetInfo, ModelInfo
from lowlabel.results.record import Record
from lowlabel.specs import Option, parse_setting, parse_spec

UNKNOWN = "unknown"
TUNED = "tuned:"
DECLARED = "declared:"
TRAITS = ("pretraining", "self_supervised", "meta_learned")
CONDITIONS = {
    "pooling": "from tokens to a vector",
    "resize": "length of the shorter side before the centre crop, in pixels",
    "crop": "side of the centre crop, in pixels",
    "interpolation": "resampling of the pixels",
    "side": "side of the square, or limit of the longest side, of whole images",
    "keep_aspect": "whether whole images keep their aspect ratio",
    "scales": "factors at which whole images are embedded",
    "queries": "query images per class",
    "distractors": "images that join the gallery",
    "whitening": "images that whitening is learned from",
    "top": "images of a ranking that count",
}


@dataclass(frozen=True)
class Reference:
    """One published number.

    Attributes:
        suite: "fewshot", "classification" or "retrieval".
        dataset: Name of the dataset, always the full dataset.
        schemes: Names of the divisions that it may be of: several if the source does not say which,
            none if nothing is known.
        protocol: "5-way 1-shot", "dml-zeroshot".
        metric: "accuracy", "recall@1", ….
        method: Name of the method in the source.
        method_name: Method of the suite that computes the same; empty if there is none.
        method_options: Options that a record of the method must have.
        transductive: Whether the queries of a task are classified together.
        embedder: Name of the embedding model in the source.
        models: Identities of the embedding model: an alias or a spec, "recipe:PRESET LIST" of a
            card, "sha256:HASH" of weights; before any tuning, but for "tuned:FILE";
            "declared:NAME" of features that the authors hand out. Empty if no model of the suite
            can be it.
        conditions: What its authors ran, which a record must agree with, by names of `CONDITIONS`:
            {"pooling": "cls", "resize": 256, "queries": 15}. None if it is unknown.
        training: "frozen", "fine-tuned" on the train classes of the dataset, or empty if not
            stated.
        pretraining: "supervised" or "self-supervised"; empty, as below, if not stated.
        self_supervised: "yes" if self-supervision has a part in the method, or "no".
        meta_learned: "yes" or "no".
        tuning: What a tuned model of `models` must agree with: {"loss": "margin,beta=1.2,…",
            "tuned": "all"}. Empty for a frozen model, and for a tuned one that cannot be repeated.
        value: In percent.
        printed: The value as printed, with its digits and interval.
        ci95: Half width of the published interval; None if none is printed.
        n: Number of tasks, queries or images that it is a mean of; None if it is not stated.
        source: Where it is printed, with the number of the table.
        arxiv: arXiv id of the source; empty if it has none.
        note: A remark for the reader.
    """

    suite: str
    dataset: str
    schemes: tuple[str, ...]
    protocol: str
    metric: str
    method: str
    method_name: str
    method_options: dict[str, Option]
    transductive: bool
    embedder: str
    models: tuple[str, ...]
    conditions: dict[str, Option] | None
    training: str
    pretraining: str
    self_supervised: str
    meta_learned: str
    tuning: dict[str, Option]
    value: float
    printed: str
    ci95: float | None
    n: int | None
    source: str
    arxiv: str
    note: str

    def applies_to(self, record: Record) -> bool:
        """Whether a record was made under the same conditions, whatever its metrics."""
        e = record.experiment
        if e.dataset.declared:
            return self._is_declared(record)
        ours = (e.suite, e.dataset.name, e.protocol.name, e.method.name)
        theirs = (self.suite, self.dataset, self.protocol, self.method_name)
        if ours != theirs or e.dataset.partial or e.dataset.bad_images or e.dataset.without:
            return False
        if not self._is_of(e.model) or not self._is_tuned_alike(e.model, e.dataset):
            return False
        circumstances = {"pooling": e.model.pooling, **e.model.transform, **e.protocol.options}
        return (
            e.dataset.scheme in self.schemes
            and self.conditions is not None
            and _agree(self.method_options, _method_options(record))
            and _agree(self.conditions, circumstances)
        )

    def _is_declared(self, record: Record) -> bool:
        """As `applies_to`, for features whose images and preprocessing the user vouches for."""
        e = record.experiment
        dataset, scheme = e.dataset.published_as
        ours = (e.suite, dataset, e.protocol.name, e.method.name)
        model = DECLARED + str(parse_spec(e.dataset.declared)[1]["model"])
        stated = {n: v for n, v in (self.conditions or {}).items() if n == "queries"}
        return (
            ours == (self.suite, self.dataset, self.protocol, self.method_name)
            and scheme in self.schemes
            and model in self.models
            and _agree(self.method_options, _method_options(record))
            and _agree(stated, e.protocol.options)
        )

    def has(self, traits: Mapping[str, str]) -> bool:
        """Whether it states these values of `TRAITS` and "training"."""
        return all(getattr(self, name) == value for name, value in traits.items())

    def _is_of(self, model: ModelInfo) -> bool:
        """Whether the model, or what it was tuned from, is one of `models`."""
        return not identities(model).isdisjoint(self.models)

    def _is_tuned_alike(self, model: ModelInfo, dataset: DatasetInfo) -> bool:
        """Whether a model is tuned as its authors did, on the train classes of the same dataset."""
        if any(name.startswith(TUNED) for name in {*model.identities} & {*self.models}):
            return True  # the authors' own weights
        if not model.tuning:
            return not self.tuning
        learned = model.tuning.get("dataset") == f"{dataset.name}:{dataset.scheme}"
        return bool(self.tuning) and learned and _agree(self.tuning, model.tuning)


def identities(model: ModelInfo) -> set[str]:
    """Every name that a published row may give a model; of a tuned one, its base model."""
    if model.tuning:
        spec, digest = model.tuning.get("base_model"), model.tuning.get("base_weights_sha256")
        names = model.tuning.get("base_identities", ())
    else:
        spec, digest, names = model.spec, model.weights_sha256, model.identities
    assert isinstance(names, list | tuple)
    return {str(spec), f"sha256:{digest}", *map(str, names), *model.identities}


@cache
def load_references() -> tuple[Reference, ...]:
    """All published numbers."""
    folder = files("lowlabel.results.reference")
    names = sorted(file.name for file in folder.iterdir() if file.name.endswith(".csv"))
    return tuple(
        _reference(row)
        for table in map(folder.joinpath, names)
        for row in csv.DictReader(table.read_text(encoding="utf-8").splitlines())
    )


def declared_models() -> list[str]:
    """Models whose features their authors hand out, and whose numbers are published."""
    named = {model for reference in load_references() for model in reference.models}
    return sorted(name.removeprefix(DECLARED) for name in named if name.startswith(DECLARED))


def find_reference(record: Record, metric: str) -> Reference | None:
    """The published number of the same model, method, full dataset, division and protocol."""
    candidates = _published(record.experiment.suite, metric)
    return next((each for each in candidates if each.applies_to(record)), None)


@cache
def _published(suite: str, metric: str) -> tuple[Reference, ...]:
    """Every number published for a metric."""
    return tuple(r for r in load_references() if (r.suite, r.metric) == (suite, metric))


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
        schemes=_several(row["scheme"]),
        protocol=row["protocol"],
        metric=row["metric"],
        method=row["method"],
        method_name=method_name,
        method_options=method_options,
        transductive=row["transductive"] == "yes",
        embedder=row["embedder"],
        models=_several(row["models"]),
        conditions=_conditions(row["conditions"]),
        training=row["training"],
        **{trait: row.get(trait, "") for trait in TRAITS},
        tuning=dict(map(parse_setting, _several(row.get("tuning", "")))),
        value=float(row["value"]),
        printed=f"{row['value']}±{ci95}" if ci95 else row["value"],
        ci95=float(ci95) if ci95 else None,
        n=int(row["n"]) if row["n"] else None,
        source=f"{row['source']} {row['table']}".rstrip(),
        arxiv=row["arxiv"],
        note=row["note"],
    )


def _several(text: str) -> tuple[str, ...]:
    return tuple(text.split(";")) if text else ()


def _conditions(text: str) -> dict[str, Option] | None:
    return None if text == UNKNOWN else parse_spec(f"conditions,{text}")[1]


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
