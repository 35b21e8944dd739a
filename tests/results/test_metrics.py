"""The row of a metric decides its column, its place, what is best, `check` and `compare`."""

import random
from dataclasses import replace

import numpy as np
import pytest

from lowlabel.results import check, compare, leaderboard, make_baseline, render_markdown
from lowlabel.results import metrics as table
from lowlabel.results.metrics import METRICS, Metric, find_metric, metric_order
from lowlabel.results.record import Score
from lowlabel.results.store import ScoredRecord

IN_ORDER = {
    "recall@1": "R@1",
    "recall@2": "R@2",
    "recall@10": "R@10",
    "accuracy": "Accuracy",
    "top1": "Top-1",
    "top5": "Top-5",
    "map@r": "MAP@R",
    "map": "mAP",
    "map_easy": "mAP E",
    "map_medium": "mAP M",
    "map_hard": "mAP H",
    "nmi": "NMI",
    "ami": "AMI",
    "f1": "F1 of pairs",
    "map@20": "mAP@20",
    "map@1000_released": "mAP@1000, R + 1",
    "mp@1_easy": "mP@1 E",
    "mp@1_medium": "mP@1 M",
    "mp@1_hard": "mP@1 H",
    "mp@10_easy": "mP@10 E",
    "precision@1": "P@1",
    "precision@5": "P@5",
    "a@2": "a@2",
    "a@10": "a@10",
}


@pytest.fixture
def nll(monkeypatch):
    """A metric without a unit of which less is better."""
    row = Metric("nll", "NLL", "Calibration error", unit="", higher_is_better=False, compared=True)
    monkeypatch.setattr(table, "METRICS", (*METRICS, row))


def with_nll(scored, mean, accuracy=60.0):
    scores = {"accuracy": Score(accuracy), "nll": Score(mean)}
    return replace(scored.record, scores=scores)


def test_metrics_have_their_labels_and_their_order():
    shuffled = random.Random(0).sample(list(IN_ORDER), len(IN_ORDER))
    assert {name: find_metric(name).label for name in shuffled} == IN_ORDER
    assert sorted(shuffled, key=metric_order) == list(IN_ORDER)


def test_a_metric_without_a_row_is_shown_plainly(fewshot):
    scores = {"accuracy": Score(60.0, 1.0), "novelty": Score(0.25)}
    (section,) = leaderboard([fewshot(shots=n, scores=scores).record for n in (1, 5)])
    other = section.tables[1]
    assert other.caption == "Other metrics"
    assert list(other.frame.columns)[2:] == ["5-way 1-shot novelty", "5-way 5-shot novelty"]
    assert list(other.frame.iloc[0])[2:] == ["0.25", "0.25"]
    assert not other.bold


def test_less_is_better_is_bold_and_unit_free(nll, fewshot):
    records = [with_nll(fewshot("a"), 0.3), with_nll(fewshot("b"), 0.1, accuracy=50.0)]
    (section,) = leaderboard(records)
    accuracy, error = section.tables
    assert (accuracy.caption, error.caption) == ("Accuracy (%)", "Calibration error")
    assert [error.frame["Model"][row] for row, _ in error.bold] == ["b"]
    assert "| **0.10** |" in render_markdown(records)


def test_rows_are_sorted_by_a_metric_of_which_less_is_better(nll, fewshot):
    errors = {"a": 0.3, "b": 0.1, "c": 0.2}
    records = [fewshot(m, scores={"nll": Score(mean)}).record for m, mean in errors.items()]
    (section,) = leaderboard(records)
    assert list(section.tables[0].frame["Model"]) == ["b", "c", "a"]


def test_a_rise_of_what_should_be_low_is_a_regression(nll, fewshot):
    baseline = make_baseline([with_nll(fewshot(), 0.2)], tolerance=0.05)
    statuses = {
        mean: check([with_nll(fewshot(), mean)], baseline).findings[1].status
        for mean in (0.1, 0.15, 0.25, 0.3)
    }
    assert statuses == {0.1: "better", 0.15: "holds", 0.25: "holds", 0.3: "regression"}


def test_the_lower_side_of_a_comparison_is_better(nll, fewshot):
    noise = np.random.default_rng(0).normal(0, 0.01, 200)
    sides = [
        [ScoredRecord(fewshot(model).record, {"nll": mean + noise * sign})]
        for model, mean, sign in (("a", 0.2, 1), ("b", 0.3, -1))
    ]
    (row,) = compare(*sides).to_dict("records")
    assert row["difference"] < 0
    assert row["verdict"] == "A better"
