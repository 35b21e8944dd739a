"""What the formulas of intervals must satisfy, whatever the values."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lowlabel.intervals import half_sampling, jackknife, means_without, normal

percents = st.floats(0, 100, width=32)
values = arrays(np.float64, st.integers(2, 30), elements=percents)
seeds = st.integers(0, 999)


@given(values, st.floats(-4, 4), st.floats(-50, 50), seeds)
@pytest.mark.parametrize("width", [normal, jackknife])
def test_a_width_scales_and_ignores_order_and_shift(width, values, factor, shift, seed):
    expected = abs(factor) * width(values)
    order = np.random.default_rng(seed).permutation(len(values))
    assert width(factor * values[order] + shift) == pytest.approx(expected, abs=1e-9)
    assert width(values) >= 0


@given(values, seeds)
@pytest.mark.parametrize("width", [normal, jackknife])
def test_missing_values_are_left_out(width, values, seed):
    places = np.random.default_rng(seed).integers(0, len(values) + 1, 3)
    assert width(np.insert(values, places, math.nan)) == pytest.approx(width(values), abs=1e-9)


@given(values, st.data())
def test_the_means_without_each_group_are_those_of_the_rest(values, more):
    count = len(values)
    groups = np.array(more.draw(st.lists(st.integers(-3, 3), min_size=count, max_size=count)))
    lost = np.array(more.draw(st.lists(st.booleans(), min_size=count, max_size=count)))
    scored = np.where(lost, math.nan, values)
    found = means_without(scored, groups)
    for place, group in enumerate(np.unique(groups)):
        own = scored[groups == group]
        rest = scored[(groups != group) & ~np.isnan(scored)]
        if np.isnan(own).all() or not len(rest):
            assert math.isnan(found[place])
        else:
            assert found[place] == pytest.approx(rest.mean(), abs=1e-9)


@given(
    arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(2, 8)), elements=percents),
    values,
    seeds,
)
def test_half_sampling_ignores_which_half_is_first_and_adds_the_tasks_own_error(
    halves, values, seed
):
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (len(halves), 1))
    expected = half_sampling(halves, values)
    assert half_sampling(signs * halves, values) == pytest.approx(expected, abs=1e-9)
    none = half_sampling(np.zeros_like(halves), values)
    assert expected >= none - 1e-9
