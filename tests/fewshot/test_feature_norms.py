import pytest

from lowlabel.errors import InputError
from lowlabel.fewshot import evaluate_fewshot


@pytest.mark.parametrize("method", ["dc", "logreg,norm=tukey", "logreg,norm=tukey-l2"])
def test_signed_features_cannot_be_raised_to_a_power(novel, base, method):
    signed = abs(novel[0])
    signed[[2, 2, 9], [0, 1, 3]] = -0.5
    message = f"2 of {len(signed)} rows have negative entries, the lowest -0.5"
    with pytest.raises(InputError, match=message):
        evaluate_fewshot(
            signed,
            novel[1],
            base=(abs(base[0]), base[1]),
            method=method,
            tasks=3,
            device="cpu",
            interval="tasks",
        )
