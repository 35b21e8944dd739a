"""Text of scores, marks and names in tables."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence

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


def format_score(mean: float | None, ci95: float | None, digits: int = 2) -> str:
    """A score as text: "71.20±1.15", "71.20" without an interval, "–" without a mean."""
    if mean is None:
        return INCOMPLETE
    return f"{mean:.{digits}f}" if ci95 is None else f"{mean:.{digits}f}±{ci95:.{digits}f}"


def format_difference(value: float) -> str:
    """A difference as text: "+0.42", "−0.42"."""
    return f"{value:+.2f}".replace("-", "−")


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
