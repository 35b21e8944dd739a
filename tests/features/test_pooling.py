import pytest
import torch

from lowlabel.errors import InputError
from lowlabel.features.pooling import Tokens, pool

TOKENS = Tokens(torch.randn(2, 4), torch.randn(2, 9, 4))


def test_poolings_follow_their_formulas():
    patches = TOKENS.patches.double()
    assert torch.equal(pool(TOKENS, "cls"), TOKENS.cls)
    torch.testing.assert_close(pool(TOKENS, "mean").double(), patches.sum(1) / 9)
    for name, power in (("gem", 3), ("gem4", 4), ("gem2.5", 2.5)):
        expected = ((patches.clamp(min=1e-6) ** power).sum(1) / 9) ** (1 / power)
        torch.testing.assert_close(pool(TOKENS, name).double(), expected, rtol=1e-5, atol=1e-7)
    joined = pool(TOKENS, "cls+mean")
    assert torch.equal(joined, torch.cat([pool(TOKENS, "cls"), pool(TOKENS, "mean")], 1))


def test_gem_of_power_one_is_the_mean_of_positive_patches():
    tokens = Tokens(None, TOKENS.patches.abs())
    torch.testing.assert_close(pool(tokens, "gem1"), pool(tokens, "mean"))


def test_errors():
    with pytest.raises(InputError, match="no class token"):
        pool(Tokens(None, TOKENS.patches), "cls")
    for name in ("max", "gemx", "cls+max", ""):
        with pytest.raises(InputError, match="unknown pooling"):
            pool(TOKENS, name)
