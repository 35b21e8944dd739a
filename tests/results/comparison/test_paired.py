"""Intervals of paired differences by kind."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from lowlabel.errors import UnknownNameError
from lowlabel.results.comparison.compare import compare
from lowlabel.results.comparison.render import render_comparison

TASKS = 50


@pytest.fixture
def sides(fewshot):
    """Two records that have replicates of every kind, of 48 and of 24 splits."""
    random = np.random.default_rng(0)
    common, shared = random.normal(60, 10, TASKS), random.normal(0, 4, (48, 1))
    both = []
    for name, splits, shift in (("a", 48, 1.0), ("b", 24, 0.0)):
        values = common + shift + random.normal(0, 2, TASKS)
        halves = shared[:splits] + random.normal(0, 3, (splits, TASKS))
        without = 60 + random.normal(0, 1, 12)
        scored = fewshot(name, values=values)
        both.append(
            replace(scored, replicates={"accuracy": {"images": halves, "classes": without}})
        )
    return both


def row_of(a, b, **options):
    (row,) = compare([a], [b], **options).to_dict("records")
    return row


def test_over_images_on_the_splits_that_both_have(sides):
    a, b = sides
    row = row_of(a, b)
    d = a.replicates["accuracy"]["images"][:24] - b.replicates["accuracy"]["images"]
    total = sum(split.mean() ** 2 - split.var(ddof=1) / TASKS for split in d)
    difference = a.per_item["accuracy"] - b.per_item["accuracy"]
    error = np.sqrt(max(0, total / 24 / 4) + difference.var(ddof=1) / TASKS)
    half_width = stats.t.ppf(0.975, 12) * error
    assert (row["interval"], row["note"]) == ("images", "")
    assert row["difference"] == pytest.approx(difference.mean())
    assert (row["ci_low"], row["ci_high"]) == pytest.approx(
        (difference.mean() - half_width, difference.mean() + half_width)
    )
    assert row["p"] == pytest.approx(2 * stats.t.sf(abs(difference.mean()) / error, 12))


def test_over_classes_by_the_jackknife_of_the_difference(sides):
    a, b = sides
    row = row_of(a, b, interval="classes")
    d = a.replicates["accuracy"]["classes"] - b.replicates["accuracy"]["classes"]
    error = np.sqrt(11 / 12 * ((d - d.mean()) ** 2).sum())
    assert row["interval"] == "classes"
    assert row["ci_high"] - row["ci_low"] == pytest.approx(2 * stats.t.ppf(0.975, 11) * error)
    assert row["p"] == pytest.approx(2 * stats.t.sf(abs(row["difference"]) / error, 11))


def test_a_wider_target_gives_a_wider_interval(sides):
    widths = {
        kind: (row := row_of(*sides, interval=kind))["ci_high"] - row["ci_low"]
        for kind in ("tasks", "images")
    }
    assert widths["images"] > widths["tasks"]


@pytest.mark.parametrize("interval", [None, "tasks", "images", "classes"])
def test_a_model_does_not_differ_from_itself(sides, interval):
    same = replace(sides[0], record=sides[0].record)
    row = row_of(sides[0], same, interval=interval)
    assert (row["difference"], row["ci_low"], row["ci_high"], row["p"]) == (0, 0, 0, 1)


def test_sides_exchanged_exchange_signs(sides):
    forth, back = row_of(*sides), row_of(*reversed(sides))
    assert forth["ci_low"] == pytest.approx(-back["ci_high"])
    assert forth["p"] == pytest.approx(back["p"])


@pytest.mark.parametrize(
    ("without", "note"),
    [
        ((0,), "A has none over images"),
        ((0, 1), "A and B have none over images"),
    ],
)
def test_a_side_without_the_kind_falls_back_to_tasks_and_says_so(sides, without, note):
    for side in without:
        sides[side] = replace(sides[side], replicates={})
    row = row_of(*sides)
    difference = sides[0].per_item["accuracy"] - sides[1].per_item["accuracy"]
    oracle = stats.ttest_1samp(difference, 0.0)
    assert (row["interval"], row["note"]) == ("tasks", note)
    assert row["p"] == pytest.approx(oracle.pvalue)
    text = render_comparison(compare(sides[:1], sides[1:]))
    assert f"± over tasks in 1 row: {note}." in text


def test_splits_of_other_tasks_do_not_pair(sides):
    halves = sides[1].replicates["accuracy"]["images"][:, :-1]
    sides[1] = replace(sides[1], replicates={"accuracy": {"images": halves}})
    row = row_of(*sides)
    assert (row["interval"], row["note"]) == ("tasks", "the splits of A and B do not pair")


def test_a_comparison_says_how_it_was_tested(sides):
    text = render_comparison(compare(sides[:1], sides[1:]))
    assert "± and p: over images, half-sampling on the same splits and tasks. Holm" in text
    assert "| images" in text


def test_an_unknown_kind_gets_a_suggestion(sides):
    with pytest.raises(UnknownNameError, match="Did you mean images"):
        compare(sides[:1], sides[1:], interval="image")
