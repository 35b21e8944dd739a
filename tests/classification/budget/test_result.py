import numpy as np
import pytest
from scipy import stats

from lowlabel.classification.budget.result import Accumulator, two_way_half_width
from lowlabel.intervals import normal


def half_width_of(table):
    return two_way_half_width(table.mean(1), table.mean(0), float((table**2).sum()))


def test_draws_and_images_both_count():
    random = np.random.default_rng(0)
    draws, images = random.normal(size=(5, 1)), random.normal(size=(1, 400))
    assert half_width_of(0 * draws + images) == pytest.approx(normal(images[0]), rel=5e-3)
    assert half_width_of(draws + 0 * images) == pytest.approx(
        2.776445 * draws.std(ddof=1) / np.sqrt(5), rel=1e-6
    )


def test_the_variance_is_that_of_the_two_sides_without_the_rest_that_both_contain():
    table = np.random.default_rng(1).normal(size=(8, 30))
    rest = table - table.mean(1, keepdims=True) - table.mean(0) + table.mean()
    by_draw, by_image = table.mean(1).var(ddof=1) / 8, table.mean(0).var(ddof=1) / 30
    both = (rest**2).sum() / (7 * 29) / 240
    variance = max(by_draw + by_image - both, by_draw, by_image)
    freedom = variance**2 / (by_draw**2 / 7 + by_image**2 / 29 + both**2 / 203)
    expected = stats.t.ppf(0.975, freedom) * np.sqrt(variance)
    assert half_width_of(table) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("by_draw", "by_image"), [(0.02, 0.3), (0.1, 0.3), (0.1, 0.0)])
def test_it_covers_the_truth(by_draw, by_image):
    """Hits of 5 draws and 60 images with known effects of both."""
    random = np.random.default_rng(2)
    covered = []
    for _ in range(1000):
        effect = by_draw * random.normal(size=(5, 1)) + by_image * random.normal(size=(1, 60))
        table = 0.6 + effect + 0.3 * random.normal(size=(5, 60))
        covered.append(abs(table.mean() - 0.6) <= half_width_of(table))
    assert 0.93 <= np.mean(covered) <= 0.995


def test_a_single_draw_varies_over_images_alone():
    values = np.random.default_rng(3).random(50)
    assert half_width_of(values[None]) == normal(values)
    assert half_width_of(np.full((4, 9), 3.0)) == 0
    assert np.isnan(half_width_of(np.ones((3, 1))))


def test_sums_over_draws_are_those_of_the_table():
    table = np.random.default_rng(4).random((6, 40))
    sums = Accumulator()
    for row in table:
        sums.add({"top1": row})
    assert sums.by_draw["top1"] == pytest.approx(table.mean(1))
    assert sums.values["top1"] == pytest.approx(table.mean(0))
    assert sums.squares["top1"] == pytest.approx((table**2).sum())
