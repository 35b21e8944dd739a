"""Text of scores, marks and names in tables."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence

from lowlabel.errors import number_of, singular
from lowlabel.results.experiment import DatasetInfo, ModelInfo
from lowlabel.results.metrics import MEANINGS, find_metric
from lowlabel.results.record import Record

INCOMPLETE = "–"
TRANSDUCTIVE = "ᵀ"
CONTAMINATED = "†"
UNSTATED_SPLIT = "‡"
BEFORE = "§"
BEYOND = "*"

SUITES = {
    "fewshot": "Few-shot classification",
    "retrieval": "Retrieval",
    "classification": "Classification",
    "label-budget": "Accuracy against labels per class",
    "label-free": "Label-free measures",
}

_LONGEST = 24
_BUDGET = re.compile(r"(per class|percent) (\S+)")
_KINDS = {"per class": "per class", "percent": "%"}


def format_score(mean: float | None, ci95: float | None, digits: int = 2) -> str:
    """A score as text: "71.20±1.15", "71.20" without an interval, "–" without a mean."""
    if mean is None:
        return INCOMPLETE
    return f"{mean:.{digits}f}" if ci95 is None else f"{mean:.{digits}f}±{ci95:.{digits}f}"


def format_difference(value: float, digits: int = 2) -> str:
    """A difference as text: "+0.42", "−0.42"."""
    return f"{value:+.{digits}f}".replace("-", "−")


def suite_order(title: str) -> int:
    """Place of a section's suite in a leaderboard, by the section's title."""
    return next(
        place for place, kind in enumerate([*SUITES.values(), ""]) if title.startswith(kind)
    )


def protocol_label(name: str) -> str:
    """A protocol's name in tables: "per class 5" is "5 per class", "percent 10" is "10 %"."""
    budget = _BUDGET.fullmatch(name)
    return f"{budget[2]} {_KINDS[budget[1]]}" if budget else name


def counted(counts: Sequence[tuple[str, Mapping[str, int]]]) -> str:
    """What was scored, each count once: "432 images, 36 (1 per class), 72 (2 per class) labelled".

    Args:
        counts: The counts of each record with the name of its protocol.
    """
    names = dict.fromkeys(what for _, found in counts for what in found)
    parts = []
    for what in names:
        protocols: dict[int, dict[str, None]] = defaultdict(dict)
        for protocol, found in counts:
            if what in found:
                protocols[found[what]][protocol_label(protocol)] = None
        values = [
            f"{value:,}" + f" ({', '.join(where)})" * (len(protocols) > 1)
            for value, where in protocols.items()
        ]
        parts.append(f"{', '.join(values)} {singular(what) if [*protocols] == [1] else what}")
    return ", ".join(parts)


def distinctions(names: Sequence[Hashable], facts: Sequence[Mapping[str, object]]) -> list[str]:
    """Suffixes that tell equal names apart: " [tasks=600]", or "" for a unique name."""
    groups = defaultdict(list)
    for index, name in enumerate(names):
        groups[name].append(index)
    added = [""] * len(names)
    for members in groups.values():
        keys = dict.fromkeys(key for member in members for key in facts[member])
        differing = [k for k in keys if len({str(facts[m].get(k)) for m in members}) > 1]
        for member in members if differing else ():
            shown = (f"{key}={_short(facts[member].get(key))}" for key in differing)
            added[member] = f" [{', '.join(shown)}]"
    return added


def _short(value: object) -> str:
    text = str(value)
    if len(text) <= _LONGEST:
        return text
    is_digest = re.fullmatch(r"[0-9a-f]{64}", text) is not None
    return (text if is_digest else hashlib.sha256(text.encode()).hexdigest())[:8]


def column_notes(records: Sequence[Record]) -> Iterator[str]:
    """What the columns of each table mean, and what guessing scores."""
    suite, classes = records[0].experiment.suite, records[0].experiment.dataset.classes
    top5 = [r.says_something("top5") for r in records if "top5" in r.scores]
    for family in dict.fromkeys(find_metric(name).family for r in records for name in r.scores):
        note = MEANINGS.get(family, "")
        if family == "Accuracy" and suite == "fewshot":
            ways = {r.experiment.protocol.options.get("ways") for r in records}
            counts = sorted(n for n in ways if isinstance(n, int) and n > 0)
            chance = ", ".join(f"{100 / n:.4g} %" for n in counts)
            note = "Queries that are given their class, from a few labelled images (shots) of each"
            note += f" of a few classes (ways). Chance: {chance}." if chance else "."
        elif family in ("Accuracy", "Recall@K") and classes:
            first = "Top-1" if family == "Accuracy" else "R@1"
            note += f" Chance for {first}: about {100 / classes:.2g} %."
        if note:
            yield note.format(top5="; Top-5: that have it among five guesses" if any(top5) else "")
    if not all(top5):
        yield "Top-5 of five classes or fewer is not shown: five guesses are all of them."


def dataset_names(datasets: Sequence[DatasetInfo]) -> list[str]:
    """The title of each dataset; its folder where several folders have one title."""
    folders: dict[str, set[str]] = defaultdict(set)
    for dataset in datasets:
        folders[dataset.title].add(dataset.path)
    return [(len(folders[d.title]) > 1 and d.path) or d.title for d in datasets]


def dataset_notes(records: Sequence[Record]) -> Iterator[str]:
    """What the evaluated part holds, and which files and classes of its folder were left out."""
    dataset = records[0].experiment.dataset
    has_classes = any(r.experiment.suite != "retrieval" or "recall@1" in r.scores for r in records)
    note = f"Dataset: {number_of(dataset.images, 'images')}"
    note += f" of {number_of(dataset.classes, 'classes')}" if has_classes else ""
    kinds = {kind: count for record in records for kind, count in record.left_out.items()}
    if kinds:
        order = sorted(kinds.items(), key=lambda item: (-item[1], item[0]))
        note += f"; not taken: {', '.join(f'{count:,} {kind}' for kind, count in order)}"
    yield f"{note}."
    if small := sorted(dataset.small_classes.items()):
        named = ", ".join(f"{name} ({count:,})" for name, count in small)
        least = dataset.min_images
        classes = number_of(len(small), "classes")
        yield f"Left out: {classes} of fewer than {number_of(least, 'images')}: {named}."


def tuned_label(model: ModelInfo) -> str:
    """What of a model was tuned, with and on: "dino+margin: all on cub:dml-zeroshot, margin,…"."""
    facts = model.tuning
    head = f"{facts.get('layers')} layers to {facts.get('dimension')} dimensions"
    return (
        f"{model.name}: {facts.get('tuned')} on {facts.get('dataset')}, {facts.get('loss')}, {head}"
    )


def mark_notes(text: str) -> Iterator[str]:
    """The meaning of every mark that occurs in the text of tables."""
    marks = {
        TRANSDUCTIVE: "transductive: the queries of a task are classified together.",
        INCOMPLETE: "incomplete run.",
        f" {BEYOND}": "beyond the combined confidence intervals.",
        UNSTATED_SPLIT: "another division of the data, or one that the source does not state.",
    }
    yield from (f"{mark.strip()} {meaning}" for mark, meaning in marks.items() if mark in text)
