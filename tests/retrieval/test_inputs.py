import warnings

import numpy as np
import pytest
import torch

from lowlabel.errors import InputError
from lowlabel.retrieval.inputs import as_features, as_labels, check_ks


def test_float32_is_not_copied():
    x = np.ones((3, 2), np.float32)
    assert as_features(x).data_ptr() == x.ctypes.data
    tensor = torch.ones(3, 2)
    assert as_features(tensor).data_ptr() == tensor.data_ptr()


def test_read_only_and_strided_arrays_are_taken_without_a_warning():
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    x.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert as_features(x).tolist() == x.tolist()
        assert as_features(x[::-1, ::2]).tolist() == x[::-1, ::2].tolist()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.longdouble, ">f8"])
def test_floats_keep_their_values(dtype):
    x = np.array([[0.5, -2], [3, 0.25]], dtype)
    assert as_features(x).tolist() == x.tolist()
    assert as_features(x).dtype in (torch.float32, torch.float64)


@pytest.mark.parametrize("values", [np.array([["a"]]), np.array([[None]]), np.ones((2, 2), bool)])
def test_what_is_no_float_is_refused(values):
    with pytest.raises(InputError, match="not floats"):
        as_features(values)


@pytest.mark.parametrize("labels", [[1, 2**62], np.array([1, 2**62], np.uint64)])
def test_labels_stay_whole(labels):
    assert as_labels(labels, 2).tolist() == [1, 2**62]
    assert as_labels(torch.tensor([1, 7], dtype=torch.int16), 2).tolist() == [1, 7]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.array([1, 2**63 + 5], np.uint64), "beyond int64"),
        (torch.tensor([1.0, 2.0]), "float32, not integers"),
        ([True, False], "bool, not integers"),
        ([[1, 2]], r"\(1, 2\) for 2 images"),
        (["cat", "dog"], "not integers"),
    ],
)
def test_labels_that_do_not_do(labels, message):
    with pytest.raises(InputError, match=message):
        as_labels(labels, 2)


def test_ks_are_integers_that_the_gallery_can_fill():
    assert check_ks([10, np.int64(1)], 10) == (10, 1)
    with pytest.raises(InputError, match="only 9 other images"):
        check_ks((1, 10), 9)
