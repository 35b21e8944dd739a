from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from lowlabel.errors import InputError
from lowlabel.results.comparison.compare import compare
from lowlabel.results.comparison.render_several import render_several
from lowlabel.results.comparison.several import compare_several


@pytest.fixture
def side(fewshot):
    """Makes the records of a model: its score on datasets, with noise that models share."""

    def make(model, shift, datasets=1, seed=1):
        records = []
        for place in range(datasets):
            common = np.random.default_rng(100 + place).normal(60, 10, 200)
            own = np.random.default_rng([seed, place]).normal(0, 1, 200)
            values = common + shift + own - own.mean()
            records.append(fewshot(model, values=values, dataset=f"d{place}", title=f"D{place}"))
        return records

    return make


def test_every_pair_is_compared_and_corrected_together(side):
    sides = {name: side(name, shift, seed=s) for s, (name, shift) in enumerate(
        {"a": 1.0, "b": 0.1, "c": 0.0}.items())}  # fmt: skip
    pairs = compare_several(sides).pairs.set_index(["side_a", "side_b"])
    assert list(pairs.index) == [("a", "b"), ("a", "c"), ("b", "c")]
    for (a, b), row in pairs.iterrows():
        (alone,) = compare(sides[a], sides[b]).to_dict("records")
        assert row["p"] == pytest.approx(alone["p"])
        assert row["difference"] == pytest.approx(alone["difference"])
    assert pairs.loc[("a", "c"), "p_holm"] == pytest.approx(3 * pairs.loc[("a", "c"), "p"])
    assert list(pairs["verdict"]) == ["A better", "A better", "no difference shown"]


def test_ranks_have_intervals_and_groups(side):
    sides = {name: side(name, shift, 3, s) for s, (name, shift) in enumerate(
        {"last": -5.0, "first": 1.0, "second": 1.0 - 1e-6}.items())}  # fmt: skip
    found = compare_several(sides)
    assert found.ranks.ranks == {"first": 1.0, "second": 2.0, "last": 3.0}
    assert found.ranks.groups == (("first", "second"), ("last",))
    low, high = found.ranks.intervals["first"]
    assert (low, high) == (1.0, 2.0)
    assert found.ranks.intervals["last"] == (3.0, 3.0)
    assert found.ranks.units == {"tasks": 3}
    text = render_several(found)
    assert "| first  | 1.00        | 1.00–2.00 | a       |" in text
    assert "| last   | 3.00        | 3.00–3.00 | b       |" in text
    assert "Friedman's test needs 8 datasets that all sides share." in text
    assert "| D0        | first  | 1     | 0      | 1                     | 0" in text


def test_from_eight_datasets_on_there_is_friedmans_test(side):
    sides = {name: side(name, shift, 8, s) for s, (name, shift) in enumerate(
        {"a": 2.0, "b": 1.0, "c": 0.0}.items())}  # fmt: skip
    found = compare_several(sides)
    (critical,) = found.critical.values()
    means = [[one.per_item["accuracy"].mean() for one in those] for those in sides.values()]
    assert critical.p == pytest.approx(stats.friedmanchisquare(*means).pvalue)
    assert "5-way 1-shot, Accuracy, ncm: Friedman's test over 8 datasets" in render_several(found)


def test_what_one_side_lacks_is_not_ranked_and_said(side, fewshot):
    sides = {"a": side("a", 1.0, 2), "b": side("b", 0.0, 2, 2), "c": side("c", 0.5, 1, 3)}
    other = replace(sides["b"][0], record=replace(sides["b"][0].record, task_hash="others"))
    found = compare_several(sides)
    assert found.ranks.units == {"tasks": 1}
    assert "A a, B c: D1, 5-way 1-shot: A: a with ncm: no counterpart in B" in render_several(found)
    nothing = compare_several({**sides, "b": [other]})
    assert nothing.ranks is None
    assert "No ranks: there is no score that all sides have" in render_several(nothing)
    assert "task hash differs" in render_several(nothing)


def test_two_sides_or_empty_ones_are_an_error(side):
    with pytest.raises(InputError, match="c has 0"):
        compare_several({"a": side("a", 0), "b": side("b", 0), "c": []})


def test_scores_of_other_items_are_not_ranked(side):
    """One side has no score of a task that the others have."""
    sides = {name: side(name, shift, 2, s) for s, (name, shift) in enumerate(
        {"a": 1.0, "b": 0.5, "c": 0.0}.items())}  # fmt: skip
    sides["c"][0].per_item["accuracy"][3] = np.nan
    found = compare_several(sides)
    assert found.ranks.units == {"tasks": 1}
    assert "scored items differ: 200 and 199" in render_several(found)
