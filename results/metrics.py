"""Every metric in one row: how tables, `compare` and `check` treat it.

A metric is computed where its protocol is; nothing else needs to know its name.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache

from lowlabel.specs import natural_order

TABLE_PER_METRIC = frozenset({"label-budget"})  # suites, whose columns are budgets
_MODES = ("easy", "medium", "hard")
_PLACEHOLDERS = {"{k}": r"(?P<k>\d+)", "{mode}": f"(?P<mode>{'|'.join(_MODES)})"}


@dataclass(frozen=True)
class Metric:
    """How a metric is shown and compared.

    Attributes:
        name: The name in records. `{k}` stands for a number, `{mode}` for easy, medium or hard.
        label: The name in tables, with the same placeholders; a mode is shown as its initial.
        family: Caption of the table that shows it, without the unit.
        unit: "%", "points", or "" for a plain number. Part of the caption.
        higher_is_better: False for an error. None if the direction is not known: the metric is
            never bold, and `check` and `compare` treat a rise as better.
        compared: Whether `compare` tests it by default.
        headed_by_protocol: Whether a column is headed "5-way 1-shot" instead of by the label.
        ranks_models: False for a measure that is no score: its best is never bold.
        digits: Number of decimals in tables.
        same_as: A metric of the same value. A table that has both shows only the other one.
        is_mean: Whether it is a mean over items, so that any of them have a score of their own.
        counts: Whether it counts decisions or ranks alone, so that it is exactly equal where they
            are; not for probabilities, spectra, and clusters that start at random.
        guesses: Number of classes that an image is given. Of no more classes than that, the score
            says nothing, and no table or comparison shows it.
    """

    name: str
    label: str
    family: str
    unit: str = "%"
    higher_is_better: bool | None = True
    compared: bool = False
    headed_by_protocol: bool = False
    ranks_models: bool = True
    digits: int = 2
    same_as: str = ""
    is_mean: bool = True
    counts: bool = True
    guesses: int = 1

    def match(self, name: str) -> re.Match[str] | None:
        """The values of the placeholders in `name`; None if this row is not its row."""
        pattern = self.name
        for placeholder, values in _PLACEHOLDERS.items():
            pattern = pattern.replace(placeholder, values)
        return re.fullmatch(pattern, name)

    @property
    def caption(self) -> str:
        """The caption of its table: "Recall@K (%)"."""
        return f"{self.family} ({self.unit})" if self.unit else self.family

    def heading(self, protocol: str, suite: str = "") -> str:
        """The heading of its column under a protocol, or of its line where columns are others."""
        if self.headed_by_protocol:
            return protocol
        return f"{self.label}, {protocol}" if suite in TABLE_PER_METRIC else self.label

    def merit(self, value: float) -> float:
        """A value or a difference such that larger is better."""
        return -value if self.higher_is_better is False else value


def _label_free(
    name: str,
    label: str,
    *,
    higher_is_better: bool | None = None,
    compared: bool = False,
    digits: int = 2,
) -> Metric:
    """A measure of embeddings: its authors compare runs of one method by it, not any two models."""
    family = "Label-free measures"
    return Metric(
        name,
        label,
        family,
        "",
        higher_is_better,
        compared,
        ranks_models=False,
        digits=digits,
        counts=False,
    )


METRICS = (  # in the order of columns
    Metric("recall@1", "R@1", "Recall@K", compared=True),
    Metric("recall@{k}", "R@{k}", "Recall@K"),
    Metric("accuracy", "Accuracy", "Accuracy", compared=True, headed_by_protocol=True),
    Metric("top1", "Top-1", "Accuracy", compared=True),
    Metric("top5", "Top-5", "Accuracy", compared=True, guesses=5),
    Metric("balanced_accuracy", "Balanced", "Accuracy", compared=True, is_mean=False),
    Metric("macro_f1", "Macro F1", "Accuracy", is_mean=False),
    Metric("mean_ap", "mAP", "Mean average precision", compared=True, is_mean=False),
    Metric("auroc", "AUROC", "AUROC", is_mean=False),
    Metric("ece", "ECE", "Calibration error", higher_is_better=False, is_mean=False, counts=False),
    Metric("map@r", "MAP@R", "Ranking", compared=True),
    Metric("r_precision", "R-Precision", "Ranking"),
    Metric("map", "mAP", "Ranking"),
    Metric("map_easy", "mAP E", "Ranking"),
    Metric("map_medium", "mAP M", "Ranking", compared=True),
    Metric("map_hard", "mAP H", "Ranking", compared=True),
    Metric("mrr", "MRR", "Ranking"),
    Metric("nmi", "NMI", "Ranking", counts=False),
    Metric("ami", "AMI", "Ranking", counts=False),
    Metric("f1", "F1 of pairs", "Ranking", counts=False),
    Metric("search_recall", "Search recall", "Ranking"),
    Metric("map@{k}", "mAP@{k}", "Ranking", compared=True),
    Metric("map@{k}_released", "mAP@{k}, R + 1", "Ranking"),
    Metric("mp@{k}_{mode}", "mP@{k} {mode}", "mP@K: precision among the first K"),
    Metric("precision@1", "P@1", "Ranking", same_as="recall@1"),
    Metric("precision@{k}", "P@{k}", "Ranking"),
    _label_free("rankme", "RankMe", higher_is_better=True),
    _label_free("effective_rank", "Effective rank"),
    _label_free("alpha_req", "α-ReQ"),
    _label_free("alpha_from_1", "abs(α − 1)", higher_is_better=False),
    _label_free("nesum", "NESum"),
    _label_free("stable_rank", "Stable rank"),
    _label_free("feature_std", "Feature std", digits=4),
    _label_free("uniformity", "Uniformity", higher_is_better=False, compared=True),
    _label_free("class_alignment", "Class alignment"),
)

MEANINGS = {  # of the columns of a table, by its family
    "Recall@K": "R@K: queries with an image of their class among the K nearest.",
    "Accuracy": "Test images that are given their class{top5}.",
    "Mean average precision": "mAP: area under the precision–recall curve of each label, with "
    "precision made monotone (VOC 2010, all points), averaged over the labels of test images.",
    "AUROC": "Chance that an image of a class is ranked before one of another class.",
    "Calibration error": "Distance of the predicted probability from the accuracy.",
    "Ranking": "MAP@R, mAP: precision along the ranking, 100 if all images to find come first; "
    "R-Precision: share of them among the first R; MRR: 1 / rank of the first.",
    "mP@K: precision among the first K": "mP@K: images to find among the K nearest. E, M, H: easy, "
    "medium and hard ones.",
    "Label-free measures": "Of the embeddings alone; how they go with the scores is in "
    "label-free.md.",
}


@cache
def find_metric(name: str) -> Metric:
    """The row of a metric, with name and label filled in.

    A metric that has no row, as in a record of a newer version, gets a plain one: its name as the
    label, no unit and no direction.
    """
    found = _find(name)
    if found is None:
        return Metric(name, name, "Other metrics", unit="", higher_is_better=None)
    index, k, mode = found
    row = METRICS[index]
    return replace(row, name=name, label=row.label.format(k=k, mode=mode[:1].upper()))


def is_known(name: str) -> bool:
    """Whether a metric has a row; one of a newer version has none."""
    return _find(name) is not None


def metric_order(name: str) -> tuple[int, list[tuple[int, str]]]:
    """Sort key of metrics: by row, then by `{k}` and `{mode}`; those without a row by name."""
    found = _find(name)
    if found is None:
        return len(METRICS), natural_order(name)
    index, k, mode = found
    return index, [(int(k or 0), ""), (_MODES.index(mode) if mode else 0, "")]


def common_unit(title: str, names: Iterable[str]) -> str:
    """`title` with the unit of the metrics if they share one: "Published (%)"."""
    units = {find_metric(name).unit for name in names}
    return f"{title} ({units.pop()})" if len(units) == 1 and "" not in units else title


@cache
def _find(name: str) -> tuple[int, str, str] | None:
    """Index of the row of a metric, and its `{k}` and `{mode}`: empty where it has none."""
    for index, row in enumerate(METRICS):
        if found := row.match(name):
            values = found.groupdict()
            return index, values.get("k", ""), values.get("mode", "")
    return None
