import numpy as np
import pytest

from lowlabel.analysis.attention import mass_mask
from lowlabel.errors import InputError

HAND_MADE = np.array([[0.05, 0.3], [0.15, 0.5]])


@pytest.mark.parametrize(
    ("threshold", "kept"),
    [
        # ascending 0.05, 0.15, 0.3, 0.5 with cumulative sums 0.05, 0.2, 0.5, 1
        (0.4, [[False, False], [False, True]]),
        (0.5, [[False, False], [False, True]]),
        (0.6, [[False, True], [False, True]]),
        (0.8, [[False, True], [False, True]]),
        (0.9, [[False, True], [True, True]]),
        (1.0, [[True, True], [True, True]]),
    ],
)
def test_a_hand_made_attention(threshold, kept):
    assert mass_mask(HAND_MADE, threshold).tolist() == kept
    assert mass_mask(0.01 * HAND_MADE, threshold).tolist() == kept  # shares of the patches alone


def test_the_kept_patches_are_the_fewest_that_hold_the_mass():
    attention = np.random.default_rng(0).dirichlet(np.full(49, 0.3), size=6).reshape(6, 7, 7)
    mask = mass_mask(attention, 0.6)
    for head, kept in zip(attention, mask, strict=True):
        assert head[kept].sum() >= 0.6
        assert head[kept].sum() - head[kept].min() < 0.6
        assert head[kept].min() >= head[~kept].max()


def test_rounding_adds_no_patch():
    """Six of ten equal patches hold 60 %, whatever a sum of tenths rounds to."""
    for scale in (1.0, 0.1, 1 / 3, 1e-7):
        assert mass_mask(np.full((2, 5), scale), 0.6).sum() == 6


def test_no_attention_to_patches_is_an_empty_mask():
    assert not mass_mask(np.zeros((2, 3)), 0.6).any()


@pytest.mark.parametrize("threshold", [0.0, -0.1, 1.1, float("nan")])
def test_thresholds_out_of_range_are_refused(threshold):
    with pytest.raises(InputError, match="must be above 0 and at most 1"):
        mass_mask(HAND_MADE, threshold)


@pytest.mark.parametrize("value", [-0.1, np.nan, np.inf])
def test_what_is_no_attention_is_refused(value):
    with pytest.raises(InputError, match="finite and non-negative"):
        mass_mask(np.array([[0.5, value]]))
