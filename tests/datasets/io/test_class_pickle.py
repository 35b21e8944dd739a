"""Pickles of features by class, in the layouts in which few-shot projects save them."""

import collections
import os
import pickle
import tracemalloc

import numpy as np
import pytest

from lowlabel.datasets.io.class_pickle import read_class_pickle
from lowlabel.errors import DataError
from lowlabel.features import load_feature_file

RNG = np.random.default_rng(0)
ROWS = {key: RNG.random((count, 5), dtype=np.float32) for key, count in ((80, 9), (3, 12), (41, 8))}


def dc(rows):
    """A list of rows for each class in a `defaultdict`, as Distribution Calibration saves them."""
    content = collections.defaultdict(list)
    for key, table in rows.items():
        for row in table:
            content[key].append(row)
    return content


def save(path, content, protocol=None):
    path.write_bytes(pickle.dumps(content, protocol))
    return path


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("make", [dc, dict, collections.OrderedDict])
@pytest.mark.parametrize("name", ["novel_features.plk", "dino_test_miniimagenet.p", "x.pkl"])
def test_rows_and_labels_of_each_layout(tmp_path, make, protocol, name):
    file = load_feature_file(save(tmp_path / name, make(ROWS), protocol))
    labels = np.repeat(list(ROWS), [len(rows) for rows in ROWS.values()])
    assert np.array_equal(file.evaluated.features, np.concatenate(list(ROWS.values())))
    assert np.array_equal(file.evaluated.labels, labels)
    assert file.base is None


def test_class_names_are_numbered_in_alphabetical_order_and_empty_classes_left_out(tmp_path):
    content = {"wren": ROWS[3], "crane": ROWS[41].tolist(), "none": [], "void": ROWS[3][:0]}
    table = load_feature_file(save(tmp_path / "x.p", content)).evaluated
    assert table.labels.tolist() == [3] * 12 + [0] * 8
    assert np.allclose(table.features[12:], ROWS[41])


class Evil:
    def __reduce__(self):
        return os.mkdir, ("owned",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "holds a list, not a dictionary by class"),
        (ROWS[3], "holds an array, not a dictionary by class"),
        ({}, "no rows in 0 classes"),
        ({1: []}, "no rows in 1 classes"),
        ({1: ROWS[3], "a": ROWS[3]}, "its keys are int and str"),
        ({True: ROWS[3]}, "its keys are bool"),
        ({1: ROWS[3], 2: ROWS[3][:, :4]}, "class 1 has 5 dimensions, class 2 has 4"),
        ({1: [ROWS[3][0], ROWS[3][0, :2]]}, "the rows of class 1 differ in shape"),
        ({1: ROWS[3][0]}, r"class 1 holds float32 \[5\], not features"),
        ({1: "x"}, "class 1 holds a str"),
        ({1: {"a": 1}}, "class 1 holds a dict"),
        ({1: None}, "class 1 holds a NoneType"),
        (Evil(), "asks for (posix|nt).mkdir"),
        ({1: Evil()}, "asks for (posix|nt).mkdir"),
    ],
)
def test_anything_else_is_refused(tmp_path, monkeypatch, content, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=message):
        load_feature_file(save(tmp_path / "x.plk", content))
    assert not (tmp_path / "owned").exists()


def test_rows_that_hold_each_other_many_times_are_not_unfolded(tmp_path):
    nested = [0.0] * 10
    for _ in range(9):
        nested = [nested] * 10
    with pytest.raises(DataError, match="nests lists in rows"):
        load_feature_file(save(tmp_path / "a.p", {0: nested}))
    table = np.zeros((1000, 256), np.float32)
    with pytest.raises(DataError, match=r"would need .* bytes of memory"):
        load_feature_file(save(tmp_path / "b.p", dict.fromkeys(range(10_000), table)))


def test_no_more_than_a_class_is_held_twice(tmp_path):
    size = 2**21
    path = save(
        tmp_path / "x.p", {key: [*np.ones((64, size // 256), np.float32)] for key in range(8)}
    )
    tracemalloc.start()
    features = read_class_pickle(path)["features"]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert features.shape == (8 * 64, size // 256)
    assert peak < 2 * features.nbytes + 1.5 * size  # of the pickle and of the result
