"""Files of rankings that hold something else are refused, with what to save in its place."""

import h5py
import numpy as np
import pytest

from lowlabel.errors import DataError
from lowlabel.features.rankings.file import read_ranking_file


def test_lists_of_different_lengths_in_an_array_of_objects(tmp_path):
    path = tmp_path / "lists.npz"
    np.savez(path, ranking=np.array([[1, 2], [3]], dtype=object))
    with pytest.raises(DataError, match="ranking holds Python objects") as error:
        read_ranking_file(path)
    assert "fill the ends of short ones" in error.value.hint


@pytest.mark.parametrize("name", ["ranking", "queries", "scores"])
def test_a_group_in_place_of_an_array(tmp_path, name):
    path = tmp_path / "lists.h5"
    with h5py.File(path, "w") as file:
        file.create_group(name)["a"] = np.arange(2)
        if name != "ranking":
            file["ranking"] = np.zeros((2, 2), int)
    with pytest.raises(DataError, match=f"{name} in .* is a group that holds a, not an array") as e:
        read_ranking_file(path)
    assert e.value.hint == f"Save {name} as an array at the top of the file."


def test_lists_of_different_lengths_in_hdf5(tmp_path):
    path = tmp_path / "lists.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("ranking", (2,), dtype=h5py.vlen_dtype(np.int64))
    with pytest.raises(DataError, match="not numbers or texts") as error:
        read_ranking_file(path)
    assert "fill the ends of short ones" in error.value.hint
