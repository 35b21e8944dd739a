import numpy as np
import pytest

from lowlabel.classification import held_out
from lowlabel.errors import InputError


def test_a_tenth_of_each_class_is_drawn():
    labels = np.random.default_rng(0).permutation(np.repeat([5, -3, 8], [100, 40, 61]))
    chosen = held_out(labels)
    assert [chosen[labels == name].sum() for name in (5, -3, 8)] == [10, 4, 6]
    np.testing.assert_array_equal(chosen, held_out(labels))
    assert (chosen != held_out(labels, seed=1)).any()


def test_small_classes_keep_an_image_to_learn_from():
    labels = np.repeat(np.arange(4), [1, 2, 3, 9])
    for share in (0.01, 0.1, 0.9, 0.999):
        chosen = held_out(labels, share)
        kept = [int((~chosen)[labels == name].sum()) for name in range(4)]
        assert kept[0] == 1
        assert min(kept) >= 1
        assert [int(chosen[labels == name].sum()) for name in range(1, 4)] != [0, 0, 0]
        assert all(chosen[labels == name].any() for name in range(1, 4))


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5, float("nan"), True, "0.1", None])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(InputError, match="must be a number between 0 and 1"):
        held_out(np.arange(4) % 2, share)


@pytest.mark.parametrize("images", [0, 1])
def test_one_image_is_not_held_out(images):
    assert not held_out(np.zeros(images, np.int64)).any()
