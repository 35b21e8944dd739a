"""Text of scores, marks and names in tables."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence

INCOMPLETE = "–"
TRANSDUCTIVE = "ᵀ"
CONTAMINATED = "†"
UNSTATED_SPLIT = "‡"
BEFORE = "§"
BEYOND = "*"

SUITES = {
    "fewshot": "Few-shot classification",
    "classification": "Classification",
    "label-budget": "Accuracy against labels per class",
    "label-free": "Label-free measures",
    "retrieval": "Retrieval",
}

_LONGEST = 24
_BUDGET = re.compile(r"(per class|percent) (\S+)")
_KINDS = {"per class": "per class", "percent": "%"}
_SINGULAR = {"draws": "draw", "tasks": "task", "images": "image", "neighbours": "neighbour"}


def format_score(mean: float | None, ci95: float | None, digits: int = 2) -> str:
    """A score as text: "71.20±1.15", "71.20" without an interval, "–" without a mean."""
    if mean is None:
        return INCOMPLETE
    return f"{mean:.{digits}f}" if ci95 is None else f"{mean:.{digits}f}±{ci95:.{digits}f}"


def format_difference(value: float) -> str:
    """A difference as text: "+0.42", "−0.42"."""
    return f"{value:+.2f}".replace("-", "−")


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
        parts.append(f"{', '.join(values)} {_noun(what, *protocols)}")
    return ", ".join(parts)


def _noun(plural: str, *counts: int) -> str:
    return _SINGULAR.get(plural, plural) if counts == (1,) else plural


def mark_notes(text: str) -> Iterator[str]:
    """The meaning of every mark that occurs in a text."""
    marks = {
        TRANSDUCTIVE: "transductive: the queries of a task are classified together.",
        INCOMPLETE: "incomplete run.",
        f" {BEYOND}": "beyond the combined confidence intervals.",
        UNSTATED_SPLIT: "another division of the data, or one that the source does not state.",
    }
    yield from (f"{mark.strip()} {meaning}" for mark, meaning in marks.items() if mark in text)


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
