"""Random numbers of the demo data are pinned, bounded and independent between keys."""

import numpy as np
import pytest

from lowlabel.datasets.demo.draws import Draws


def test_uniform_equals_the_conversion_of_numpys_generator() -> None:
    reference = np.random.Generator(np.random.PCG64(np.random.SeedSequence((1, 2, 3))))
    draws = Draws(1, 2, 3)
    assert [draws.uniform() for _ in range(100)] == reference.random(100).tolist()


def test_array_continues_the_same_stream() -> None:
    one_by_one, at_once = Draws(7), Draws(7)
    expected = np.array([one_by_one.uniform() for _ in range(24)]).reshape(2, 3, 4)
    np.testing.assert_array_equal(at_once.array(2, 3, 4), expected)


def test_streams_of_other_keys_differ() -> None:
    assert Draws(1, 0, 1).uniform() != Draws(1, 1, 0).uniform()


def test_numbers_stay_in_their_bounds() -> None:
    draws = Draws(0)
    uniform = np.array([draws.uniform(-2.0, 3.0) for _ in range(2000)])
    ratio = np.array([draws.ratio(2.0) for _ in range(2000)])
    assert uniform.min() >= -2.0 and uniform.max() < 3.0
    assert uniform.mean() == pytest.approx(0.5, abs=0.15)
    assert ratio.min() >= 0.5 and ratio.max() < 2.0
    assert np.log(ratio).mean() == pytest.approx(0.0, abs=0.05)


def test_every_choice_comes_up_equally_often() -> None:
    draws = Draws(0)
    counts = np.bincount([draws.choice((0, 1, 2, 3)) for _ in range(4000)])
    assert counts.tolist() == pytest.approx([1000] * 4, rel=0.1)
    assert np.mean([draws.chance(0.3) for _ in range(4000)]) == pytest.approx(0.3, abs=0.03)
