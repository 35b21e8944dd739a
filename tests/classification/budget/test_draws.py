import numpy as np
import pytest

from lowlabel.classification.budget.budgets import build_budget, build_budgets, shortage
from lowlabel.classification.budget.draws import drawn, repeated
from lowlabel.errors import InputError

COUNTS = np.array([30, 4, 150, 16])
CLASSES = np.random.default_rng(0).permutation(np.repeat(np.arange(4), COUNTS))


def draws_of(*budgets, draws=3, seed=0):
    return drawn(build_budgets(budgets), CLASSES, COUNTS, draws, seed)


def test_each_class_gets_its_number_of_different_images():
    five, percent, everything = draws_of(2, "10%", "100%")
    assert five.sizes == (2, 2, 2, 2)
    assert percent.sizes == (3, 1, 15, 2)  # 0.4 of an image is one, 1.6 are two
    assert everything.sizes == tuple(COUNTS)
    for draws in (five, percent, everything):
        for rows in draws.rows:
            assert np.array_equal(CLASSES[rows], np.repeat(np.arange(4), draws.sizes))
            assert len(set(rows)) == draws.labelled
    assert [len(d.rows) for d in (five, percent, everything)] == [3, 3, 1]
    assert everything.rows[0].tolist() == np.argsort(CLASSES, kind="stable").tolist()


@pytest.mark.parametrize(
    ("share", "sizes"), [("1%", (1, 1, 2, 1)), ("12.5 %", (4, 1, 19, 2)), ("0.01%", (1, 1, 1, 1))]
)
def test_shares_are_rounded_and_never_nothing(share, sizes):
    (draws,) = draws_of(share)
    assert draws.sizes == sizes


def test_a_larger_budget_contains_the_smaller_one_of_the_same_draw():
    one, three, percent, half = draws_of(1, 3, "10%", "50%")
    for number in range(3):
        assert set(one.rows[number]) < set(three.rows[number])
        assert set(percent.rows[number]) < set(half.rows[number])
    assert len({tuple(rows) for rows in three.rows}) == 3


def test_budgets_of_the_same_images_are_found_and_numbers_stay():
    draws = draws_of("0.01%", 1, 200, "100%", "2%")
    assert {name: kept.budget.name for name, kept in repeated(draws).items()} == {
        "0.01%": "1",
        "200": "100%",  # which no class is short of
    }
    same, one = draws[0], repeated(draws)["0.01%"]
    assert all(np.array_equal(a, b) for a, b in zip(same.rows, one.rows, strict=True))


def test_a_longer_run_begins_with_the_draws_of_a_shorter_one():
    (few,), (many,) = draws_of(3, draws=2), draws_of(3, draws=5)
    assert [rows.tolist() for rows in few.rows] == [rows.tolist() for rows in many.rows[:2]]
    (other,) = draws_of(3, draws=2, seed=1)
    assert few.digest not in (many.digest, other.digest)
    assert few.digest == draws_of(3, draws=2)[0].digest


def test_every_image_is_equally_likely():
    (draws,) = draws_of(4, draws=4000)
    seen = np.bincount(np.concatenate(draws.rows), minlength=200)
    for label in range(4):
        share = seen[label == CLASSES] / 4000
        expected = 4 / COUNTS[label]
        spread = np.sqrt(expected * (1 - expected) / 4000)
        assert np.abs(share - expected).max() <= 4.5 * spread


def test_a_class_that_is_too_small_is_named_with_its_count():
    assert shortage(build_budget(4), "abcd", COUNTS) == ""
    text = shortage(build_budget(20), "abcd", COUNTS)
    assert "class b has 4, class d has 16" in text
    assert draws_of(20)[0].sizes == (20, 4, 20, 16)
    assert draws_of(20)[0].short == 2


@pytest.mark.parametrize(
    "budget", [0, -1, True, 2.5, "5", "0%", "101%", "ten", "-1%", "", "1e-3%", None]
)
def test_what_is_no_budget_is_refused(budget):
    with pytest.raises(InputError, match="labels per class"):
        build_budget(budget)


@pytest.mark.parametrize("budgets", [(), (5, 5), ("10%", "10.0 %"), (1, 2, 1)])
def test_no_budget_and_equal_ones_are_refused(budgets):
    with pytest.raises(InputError, match="budget"):
        build_budgets(budgets)
