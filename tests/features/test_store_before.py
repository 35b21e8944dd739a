import h5py
import numpy as np
import pytest

from lowlabel.errors import DataError
from lowlabel.features.store_before import read_before


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "before.h5"
    with h5py.File(path, "w") as file:
        file.attrs.update(schema=1, key='{"a":1}')
        file["features"] = np.arange(6, dtype=np.float32).reshape(3, 2)
        file["labels"], file["done"] = [4, 5, 6], np.array([1, 2, 1], np.uint8)
        file.create_dataset("paths", data=["a", "b", "c"], dtype=h5py.string_dtype())
    return path


def test_a_file_of_schema_1_is_read(path):
    found = read_before(path, '{"a":1}')
    np.testing.assert_array_equal(found.features, [[0, 1], [2, 3], [4, 5]])
    assert (found.labels.tolist(), found.paths) == ([4, 5, 6], ("a", "b", "c"))
    assert found.bad.tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("name", "value"),
    [("done", np.array([1, 0, 1], np.uint8)), ("labels", np.arange(2)), ("paths", None)],
)
def test_an_incomplete_file_is_refused(path, name, value):
    with h5py.File(path, "r+") as file:
        del file[name]
        if value is not None:
            file[name] = value
    with pytest.raises(DataError, match=r"before.h5 is not a complete feature file"):
        read_before(path, '{"a":1}')


def test_another_key_or_a_truncated_file_is_refused(path):
    with pytest.raises(DataError, match="another key"):
        read_before(path, '{"a":2}')
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"before.h5"):
        read_before(path, '{"a":1}')
