"""Bootstrap ranks against the paired t-test, which they equal for one score of two sides."""

import numpy as np
import pytest
from scipy import stats

from lowlabel.results.ranks import Shared, rank


def differing(fewshot, p):
    """Two models whose accuracies differ by a paired t-test with this p-value."""
    random = np.random.default_rng(0)
    common, noise = random.normal(60, 10, 200), random.normal(0, 1, 200)
    noise -= noise.mean()
    shift = stats.t.isf(p / 2, 199) * stats.sem(noise)
    return fewshot("a", values=common + noise + shift), fewshot("b", values=common)


@pytest.mark.parametrize(
    ("p", "groups"), [(0.03, (("a",), ("b",))), (0.08, (("a", "b"),)), (1.0, (("a", "b"),))]
)
def test_two_sides_are_told_apart_as_by_the_paired_t_test(fewshot, p, groups):
    one, other = differing(fewshot, p)
    assert stats.ttest_rel(one.per_item["accuracy"], other.per_item["accuracy"]).pvalue == (
        pytest.approx(p)
    )
    assert rank("ab", [Shared("accuracy", (one, other))]).groups == groups


def test_the_interval_of_a_rank_covers_95_percent_of_the_draws(fewshot):
    """Side b is first in 2 % of the draws, then in 4 %: 1 is in its interval only then."""
    for tail, low in ((0.02, 2.0), (0.04, 1.0)):
        pair = differing(fewshot, 2 * tail)
        assert rank("ab", [Shared("accuracy", pair)]).intervals["b"] == (low, 2.0)


def test_many_sides_that_differ_are_told_apart(fewshot):
    """Of 300 pairs none is below 5 % after Holm's correction unless the draws are many."""
    random = np.random.default_rng(0)
    common = random.normal(60, 10, 200)
    names = [f"side {n}" for n in range(25)]
    members = tuple(
        fewshot(name, values=common - n + random.normal(0, 0.5, 200))
        for n, name in enumerate(names)
    )
    found = rank(names, [Shared("accuracy", members)])
    assert list(found.ranks) == names
    assert found.groups == tuple((name,) for name in names)


def test_equal_sides_share_their_rank(fewshot):
    same = [fewshot(name, values=np.linspace(40, 80, 200)) for name in "ab"]
    found = rank(
        "abc", [Shared("accuracy", (*same, fewshot("c", values=np.linspace(20, 60, 200))))]
    )
    assert found.ranks == {"a": 1.5, "b": 1.5, "c": 3.0}
    assert found.groups[0] == ("a", "b")
