import math
from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from lowlabel.results.correlation.ranks import kendall, spearman

PEERS = {spearman: stats.spearmanr, kendall: stats.kendalltau}


@pytest.fixture(params=PEERS, ids=lambda each: each.__name__)
def both(request):
    return request.param, PEERS[request.param]


def drawn(count, ties, seed):
    random = np.random.default_rng(seed)
    x = random.normal(size=count)
    y = x + random.normal(size=count)
    return (x.round(), y.round()) if ties else (x, y)


@pytest.mark.parametrize("count", [3, 4, 6, 8, 9, 30])
@pytest.mark.parametrize("ties", [False, True])
def test_the_value_is_that_of_scipy(both, count, ties):
    ours, theirs = both
    for seed in range(20):
        x, y = drawn(count, ties, seed)
        if np.ptp(x) and np.ptp(y):
            assert ours(x, y).value == pytest.approx(theirs(x, y).statistic)


@pytest.mark.parametrize("ties", [False, True])
def test_the_p_value_of_few_is_the_share_of_orders_as_far_from_zero(both, ties):
    ours, theirs = both
    for seed in range(2):
        x, y = drawn(5, ties, seed)
        found = ours(x, y)
        every = [abs(theirs(x, list(order)).statistic) for order in permutations(y)]
        assert found.p == pytest.approx(np.mean(np.array(every) >= abs(found.value) - 1e-9))


def test_kendall_without_ties_is_exact_at_any_number():
    for count in (5, 8, 12):
        x, y = drawn(count, False, count)
        exact = stats.kendalltau(x, y, method="exact").pvalue
        assert kendall(x, y).p == pytest.approx(exact)


def test_three_models_in_order_prove_little(both):
    ours, _ = both
    found = ours(np.array([1.0, 2.0, 3.0]), np.array([0.1, 0.2, 0.9]))
    assert (found.value, found.p) == (pytest.approx(1), pytest.approx(2 / 6))


def test_a_constant_has_no_correlation(both):
    ours, _ = both
    found = ours(np.ones(5), np.arange(5.0))
    assert math.isnan(found.value) and math.isnan(found.p)
