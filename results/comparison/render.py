"""Comparisons as Markdown."""

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

import pandas as pd
from tabulate import tabulate

from lowlabel.errors import number_of
from lowlabel.escaping import markdown_cell, markdown_text
from lowlabel.results.kinds import kind_of_items
from lowlabel.results.labels import format_difference, protocol_label
from lowlabel.results.metrics import find_metric

Row = dict[Hashable, Any]


def render_comparison(frame: pd.DataFrame) -> str:
    """The result of `compare` as Markdown: a table per dataset, then what was not comparable.

    A method or model that A and B share has a column of its own.
    """
    several = frame["side_a"].nunique() > 1 or frame["side_b"].nunique() > 1
    tested: list[Row] = frame[frame["p"].notna()].to_dict("records")
    refused: list[Row] = frame[frame["p"].isna()].to_dict("records")
    parts = []
    for dataset in dict.fromkeys(row["dataset"] for row in tested):
        rows = [row for row in tested if row["dataset"] == dataset]
        named = zip(_sides(rows) if several else _names(rows), rows, strict=True)
        cells = [{**names, **_numbers(row)} for names, row in named]
        cells = [{key: markdown_cell(text) for key, text in each.items()} for each in cells]
        table = tabulate(cells, headers="keys", tablefmt="pipe", disable_numparse=True)
        parts.append(f"## {markdown_text(dataset)}\n\n{table}")
    if tested:
        parts.append(f"## Wins and losses\n\n{_wins(tested, refused)}")
    if refused:
        parts.append(
            "## Not comparable\n\n"
            + "\n".join(markdown_text(_refusal(row, several)) for row in refused)
        )
    if notes := Counter((row["interval"], row["note"]) for row in tested if row["note"]):
        parts += [
            f"± over {kind} in {number_of(n, 'rows')}: {note}." for (kind, note), n in notes.items()
        ]
    parts.append(f"{_how(tested)} Holm over {len(tested)} tests.".strip())
    return "\n\n".join(parts) + "\n"


def _how(tested: Sequence[Row]) -> str:
    """The test of each kind of interval that occurs."""
    tests = dict.fromkeys(_test_of(row["suite"], row["interval"]) for row in tested)
    return f"± and p: {'; '.join(tests)}." if tests else ""


def _test_of(suite: str, kind: str) -> str:
    if kind == kind_of_items(suite):
        return f"paired t-test over the same {kind}"
    if kind == "images":
        return "over images, half-sampling on the same splits and tasks"
    return f"over {kind}, jackknife of the difference"


def _names(rows: Sequence[Row]) -> list[dict[str, str]]:
    if all(row["method_a"] == row["method_b"] for row in rows):
        return [
            {"Method": row["method_a"], "A": row["model_a"], "B": row["model_b"]} for row in rows
        ]
    if all(row["model_a"] == row["model_b"] for row in rows):
        return [
            {"Model": row["model_a"], "A": row["method_a"], "B": row["method_b"]} for row in rows
        ]
    return [{"A": _full_name(row, "a"), "B": _full_name(row, "b")} for row in rows]


def _sides(rows: Sequence[Row]) -> list[dict[str, str]]:
    """Names where there are more sides than two."""
    return [
        {
            "Method": " / ".join(dict.fromkeys((row["method_a"], row["method_b"]))),
            "A": row["side_a"],
            "B": row["side_b"],
        }
        for row in rows
    ]


def _wins(tested: Sequence[Row], refused: Sequence[Row]) -> str:
    """How often each side was better and worse than another, by dataset."""
    sides = dict.fromkeys(row[side] for side in ("side_a", "side_b") for row in tested)
    lines = []
    for dataset in dict.fromkeys(row["dataset"] for row in tested):
        for name in sides:
            counts = Counter(_outcome(row, name) for row in tested if row["dataset"] == dataset)
            none = sum(
                row["dataset"] == dataset and name in (row["side_a"], row["side_b"])
                for row in refused
            )
            counted = {each: str(counts[each]) for each in ("won", "lost", "no difference shown")}
            lines.append(
                {
                    "Dataset": markdown_cell(dataset),
                    "Side": markdown_cell(name),
                    **counted,
                    "not comparable": str(none),
                }
            )
    return tabulate(lines, headers="keys", tablefmt="pipe", disable_numparse=True)


def _outcome(row: Row, side: str) -> str:
    if side not in (row["side_a"], row["side_b"]):
        return ""
    if row["verdict"] == "no difference shown":
        return str(row["verdict"])
    winner = row["side_a"] if row["verdict"] == "A better" else row["side_b"]
    return "won" if winner == side else "lost"


def _numbers(row: Row) -> dict[str, str]:
    half_width = (row["ci_high"] - row["ci_low"]) / 2
    return {
        "Score": find_metric(row["metric"]).heading(protocol_label(row["protocol"]), row["suite"]),
        "Mean A": f"{row['mean_a']:.2f}",
        "Mean B": f"{row['mean_b']:.2f}",
        "A − B": f"{format_difference(row['difference'])}±{half_width:.2f}",
        "± over": row["interval"],
        "p (Holm)": "<0.001" if row["p_holm"] < 0.001 else f"{row['p_holm']:.3f}",
        "Verdict": row["verdict"],
    }


def _refusal(row: Row, several: bool) -> str:
    sides = [_full_name(row, side) for side in "ab" if not pd.isna(row[f"model_{side}"])]
    alone = "" if len(sides) == 2 else "A: " if pd.isna(row["model_b"]) else "B: "
    scored = f"{row['dataset']}, {protocol_label(row['protocol'])}"
    if isinstance(row["metric"], str):  # NaN for whole records
        scored += f", {find_metric(row['metric']).label}"
    if several:
        scored = f"A {row['side_a']}, B {row['side_b']}: {scored}"
    return f"- {scored}: {alone}{' and '.join(sides)}: {row['reason']}"


def _full_name(row: Row, side: str) -> str:
    return f"{row[f'model_{side}']} with {row[f'method_{side}']}"
