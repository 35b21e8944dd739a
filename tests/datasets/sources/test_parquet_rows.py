"""Row groups of parquet files: each is read once, and anew after a failure."""

import gc

import numpy as np
import pytest

from lowlabel.datasets.sources import parquet_rows
from lowlabel.datasets.sources.parquet_rows import parquet_members
from lowlabel.errors import DataError

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


@pytest.fixture
def container(tmp_path):
    """Ten images in five row groups."""
    parquet_rows._row_group.cache_clear()
    rows = [{"bytes": b"image %d" % row, "path": None} for row in range(10)]
    path = tmp_path / "train.parquet"
    parquet.write_table(pyarrow.table({"image": rows}), path, row_group_size=2)
    return path


def image_of(container, row):
    (image,) = parquet_members(container, [row])
    return image


def groups_read():
    return parquet_rows._row_group.cache_info().misses


def test_images_in_their_order_read_each_group_once(container):
    assert [image_of(container, str(row)) for row in range(10)] == [
        b"image %d" % row for row in range(10)
    ]
    assert groups_read() == 5


def test_an_image_is_not_copied_out_of_its_row_group(container):
    first, again = (image_of(container, "3") for _ in range(2))
    places = [np.frombuffer(each, np.uint8).ctypes.data for each in (first, again)]
    assert places[0] == places[1]
    assert first.readonly


def test_an_image_outlives_its_row_group_in_memory(container):
    image = image_of(container, "0")
    parquet_rows._row_group.cache_clear()
    gc.collect()
    assert image == b"image 0"


@pytest.mark.parametrize("kind", [pyarrow.binary(), pyarrow.large_binary()])
def test_images_are_found_in_arrays_of_any_lengths(kind):
    values = [b"a", None, b"", b"bcd", b"ee", None, b"f"]
    arrays = [pyarrow.array(values[:3], kind), pyarrow.array([], kind)]
    arrays += [pyarrow.array(values[3:], kind)[1:], pyarrow.array([b"", b""], kind)]
    found = [each for array in arrays for each in parquet_rows._views(array)]
    assert found == [*values[:3], *values[4:], b"", b""]


def test_images_in_turn_look_each_group_up_once(container):
    names = [str(row) for row in (0, 1, 5, 4, 5)]
    assert [*parquet_members(container, names)] == [b"image %s" % name.encode() for name in names]
    assert groups_read() == 2
    assert parquet_rows._row_group.cache_info().hits == 0


def test_a_row_that_the_file_lacks_is_missing(container):
    with pytest.raises(FileNotFoundError, match="no such row"):
        image_of(container, "10")


def test_images_out_of_order_read_their_own_group_alone(container):
    assert image_of(container, "5") == b"image 5"
    assert groups_read() == 1


def test_a_failure_is_raised_and_the_group_read_anew_the_next_time(container, monkeypatch):
    assert image_of(container, "0") == b"image 0"

    def failing(*_):
        raise DataError("the disk is away", "Mount it.")

    with monkeypatch.context() as patched:
        patched.setattr(parquet_rows, "parquet_file", failing)
        for _ in range(2):
            with pytest.raises(DataError, match="the disk is away"):
                image_of(container, "3")
    assert image_of(container, "3") == b"image 3"
