"""What a ranking calls an image is one image, or refused."""

import numpy as np
import pytest

from lowlabel.errors import DataError
from lowlabel.features.rankings.names import ImageNames

PATHS = ["a/0.png", "a/1.png", "a/10.png", "a/2.png"]  # in the order of their names


@pytest.fixture
def names():
    return ImageNames(PATHS, "birds test")


def rows(names, *texts):
    return names.rows(np.array(texts, dtype=object), "ranking of lists.csv").tolist()


def test_digits_are_names_if_they_cannot_be_rows(names):
    assert rows(names, "10", "2", "") == [2, 3, -1]
    assert rows(names, "0", "1") == [0, 1]  # which are both


def test_digits_that_would_be_other_images_as_rows_are_refused(names):
    with pytest.raises(DataError, match="may be rows or file names of birds test: 0 is") as error:
        rows(names, "0", "1", "2")
    assert "a/0.png" in error.value.hint
    assert names.rows(np.array([0, 1, 2]), "").tolist() == [0, 1, 2]
    assert rows(names, "0.png", "1.png", "2.png") == [0, 1, 3]
    with pytest.raises(DataError, match="may be rows or file names"):
        rows(names, "0", "1", "2", "3")  # 3 is a row alone


@pytest.mark.parametrize("number", ["9" * 19, "9" * 20, "9" * 5000, "4"])
def test_numbers_of_any_length_are_no_rows(number):
    names = ImageNames(["a/x.png", "a/y.png"], "birds test")
    assert rows(names, "1", "0000000000000000000000") == [1, 0]
    with pytest.raises(DataError, match="has 1 rows that birds test does not have"):
        rows(names, number, "1")
