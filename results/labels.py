"""How scores, metrics and things with equal names are written in a table."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence

INCOMPLETE = "–"
TRANSDUCTIVE = "ᵀ"
CONTAMINATED = "†"
UNSTATED_SPLIT = "‡"
BEYOND = "*"

SUITES = {
    "fewshot": "Few-shot classification",
    "classification": "Classification",
    "retrieval": "Retrieval",
}

_METRICS = {
    "accuracy": "Accuracy",
    "top1": "Top-1",
    "top5": "Top-5",
    "map@r": "MAP@R",
    "r_precision": "R-Precision",
    "map": "mAP",
    "map_easy": "mAP E",
    "map_medium": "mAP M",
    "map_hard": "mAP H",
    "mrr": "MRR",
    "nmi": "NMI",
    "search_recall": "Search recall",
}
_PREFIXES = {"recall@": "R@", "precision@": "P@", "map@": "mAP@", "mp@": "mP@"}
_LONGEST = 24


def metric_label(metric: str) -> str:
    """A metric's name in a heading: "R@1", "MAP@R"."""
    if metric in _METRICS:
        return _METRICS[metric]
    for prefix, short in _PREFIXES.items():
        if metric.startswith(prefix):
            k, _, mode = metric.removeprefix(prefix).partition("_")
            return f"{short}{k} {mode[:1].upper()}".strip()
    return metric


def metric_family(metric: str) -> str:
    """The caption of the table that a metric stands in."""
    if metric in ("accuracy", "top1", "top5"):
        return "Accuracy (%)"
    if metric.startswith("mp@"):
        return "mP@K: precision among the first K (%)"
    return "Recall@K (%)" if metric.startswith("recall@") else "Ranking (%)"


def metric_order(metric: str) -> tuple[int, list[tuple[int, str]]]:
    """Sorts metrics: recall@K by K, then the named ones in their usual order, then the rest."""
    if metric.startswith("recall@"):
        return 0, natural_order(metric)
    names = list(_METRICS)
    rank = names.index(metric) if metric in names else len(names)
    return rank + 1, natural_order(metric.replace("_medium", "_f"))  # between easy and hard


def natural_order(text: str) -> list[tuple[int, str]]:
    """Sorts numbers in names by value: "5-way 5-shot" before "5-way 10-shot"."""
    parts = re.findall(r"\d+|\D+", text)
    return [(int(part), "") if part.isdigit() else (0, part) for part in parts]


def format_score(mean: float | None, ci95: float | None) -> str:
    """Such as "71.20±1.15"; "71.20" without an interval, "–" without a mean."""
    if mean is None:
        return INCOMPLETE
    return f"{mean:.2f}" if ci95 is None else f"{mean:.2f}±{ci95:.2f}"


def format_difference(value: float) -> str:
    """Such as "+0.42" or "−0.42"."""
    return f"{value:+.2f}".replace("-", "−")


def distinctions(names: Sequence[Hashable], facts: Sequence[Mapping[str, object]]) -> list[str]:
    """What to add to each name so that equal ones can be told apart: "" or " [tasks=600]"."""
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
