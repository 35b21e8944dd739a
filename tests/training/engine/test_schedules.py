import math

import numpy as np
import pytest

from lowlabel.training.engine.schedules import warmup_constant, warmup_cosine


def test_warmup_then_cosine_is_the_formula():
    values = warmup_cosine(0.5, 0.1, 20, 5)
    for step in range(20):
        if step < 5:
            expected = 0.5 * step / 4
        else:
            expected = 0.1 + 0.5 * (0.5 - 0.1) * (1 + math.cos(math.pi * (step - 5) / 15))
        assert values[step] == pytest.approx(expected, abs=1e-15)


def test_rises_without_warm_up():
    values = warmup_cosine(0.04, 0.4, 100)
    assert values[0] == pytest.approx(0.04)
    assert (np.diff(values) > 0).all()
    assert values[-1] < 0.4


@pytest.mark.parametrize(("steps", "warmup"), [(3, 10), (5, 5), (1, 0), (1, 1)])
def test_short_runs_have_a_rate_for_every_step(steps, warmup):
    assert warmup_cosine(1.0, 0.0, steps, warmup).shape == (steps,)


def test_temperature_rises_linearly_and_stays():
    values = warmup_constant(0.04, 0.07, 6, 4)
    np.testing.assert_allclose(values, [0.04, 0.05, 0.06, 0.07, 0.07, 0.07])
    assert warmup_constant(0.04, 0.07, 2, 30).shape == (2,)
    np.testing.assert_array_equal(warmup_constant(0.04, 0.07, 3, 0), [0.07] * 3)
