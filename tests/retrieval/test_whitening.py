import numpy as np
import pytest
import torch

from lowlabel.errors import InputError, UnknownNameError
from lowlabel.retrieval import evaluate_revisited, learn_whitening
from lowlabel.retrieval.post import build_post


@pytest.fixture
def train_gallery():
    rng = np.random.default_rng(0)
    return rng.standard_normal((60, 8)) * np.arange(1, 9), rng.standard_normal((20, 8))


def test_whitening_may_be_given_built_or_by_spec(train_gallery):
    rows = torch.from_numpy(train_gallery[1])
    expected = learn_whitening(*train_gallery, "whiten:4")(rows)
    assert expected.shape == (20, 4)
    assert torch.equal(learn_whitening(*train_gallery, build_post("whiten:4"))(rows), expected)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda t, g: (t, g, "aqe:3"), InputError, "aqe:3 is not whitening"),
        (lambda t, g: (t, g, "whitening"), UnknownNameError, "unknown post-processing"),
        (lambda t, g: (t[:5], g), InputError, "5 training images for 8 dimensions"),
        (lambda t, g: (t, t), InputError, "60 of the 60 images searched are among"),
        (lambda t, g: (t * np.nan, g), InputError, "60 of 60 rows of train features"),
    ],
)
def test_bad_input(train_gallery, change, error, message):
    with pytest.raises(error, match=message):
        learn_whitening(*change(*train_gallery))


@pytest.mark.parametrize("side", ["query", "gallery", "distractors[0]"])
def test_a_row_of_zeros_has_no_direction_that_the_mean_could_give_it(train_gallery, side):
    train, gallery = train_gallery
    arrays = {"query": gallery[:3], "gallery": gallery, "distractors[0]": gallery[5:]}
    arrays[side] = arrays[side].copy()
    arrays[side][1] = 0
    query, searched, distractors = arrays.values()
    truth = [{"easy": [4 + i], "hard": [], "junk": []} for i in range(3)]
    options = {"distractors": distractors, "transform": learn_whitening(train, gallery)}
    message = rf"1 of \d+ rows of {side.replace('[', '.').replace(']', '.')}.* are all zero"
    with pytest.raises(InputError, match=message):
        evaluate_revisited(query, searched, truth, ks=(1,), **options)
