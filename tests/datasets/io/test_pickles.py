"""Published pickles are read, and no code in them is ever run."""

import io
import os
import pickle
import struct
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from lowlabel.datasets.io.pickles import read_pickle
from lowlabel.errors import DataError


class Python2Pickler(pickle._Pickler):
    """Writes texts and bytes as Python 2's `str`, as the published files do."""

    dispatch: ClassVar[dict] = dict(pickle._Pickler.dispatch)

    def save_old(self, value):
        data = value.encode("latin1") if isinstance(value, str) else value
        self.write(b"T" + struct.pack("<i", len(data)) + data)
        self.memoize(value)

    dispatch[str] = save_old
    dispatch[bytes] = save_old


def as_python_2(value) -> bytes:
    file = io.BytesIO()
    Python2Pickler(file, 2).dump(value)
    return file.getvalue()


ARRAYS = [
    np.arange(24, dtype=np.uint8).reshape(2, 3, 4),
    np.asfortranarray(np.arange(6, dtype=np.int32).reshape(2, 3)),
    np.array([1.5, -2.0], ">f4"),
    np.array([], np.uint8),
    np.array(7, np.int64),
    np.frombuffer(bytes(range(256)), np.uint8),
]


@pytest.mark.parametrize(
    "dump", [as_python_2, *(lambda v, p=p: pickle.dumps(v, p) for p in (2, 4))]
)
def test_arrays_come_back_as_numpy_reads_them(tmp_path, dump):
    path = tmp_path / "x.pkl"
    content = {"arrays": ARRAYS, "labels": [3, 1], "names": ["Crane", "crane, bird"]}
    path.write_bytes(dump(content | {"scalar": np.int32(-5)}))
    read = read_pickle(path)
    for ours, theirs in zip(read["arrays"], ARRAYS, strict=True):
        assert np.array_equal(np.asarray(ours), theirs)
        assert np.asarray(ours).shape == theirs.shape
    assert (read["labels"], read["names"], read["scalar"]) == ([3, 1], content["names"], -5)


class Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: pickle.dumps(Evil(folder / "owned"), 2), "asks for (posix|nt).mkdir"),
        (lambda folder: b"cbuiltins\neval\n(S'1'\ntR.", "asks for builtins.eval"),
        (lambda folder: b"cnumpy\nload\n(S'x'\ntR.", "asks for numpy.load"),
        (lambda folder: pickle.dumps(np.array([folder], object), 2), "an array of object"),
        (lambda folder: b"cnumpy\ndtype\n(S'O'\ntR.", "an array of object"),
        (lambda folder: b"c_codecs\nencode\n(S'x'\nS'rot13'\ntR.", "encoding 'rot13'"),
        (lambda folder: pickle.dumps([1, 2, 3])[:-3], "not a pickle of plain arrays"),
        (lambda folder: b"\x89PNG", "not a pickle of plain arrays"),
        (lambda folder: b"", "not a pickle of plain arrays"),
    ],
)
def test_anything_else_is_refused_and_not_run(tmp_path, make, message):
    path = tmp_path / "x.pkl"
    path.write_bytes(make(tmp_path))
    with pytest.raises(DataError, match=message):
        read_pickle(path)
    assert not (tmp_path / "owned").exists()


def test_an_array_with_too_few_bytes_is_refused(tmp_path):
    data = pickle.dumps(np.arange(8, dtype=np.uint8), 2)
    (tmp_path / "x.pkl").write_bytes(data.replace(b"K\x08\x85", b"K\x09\x85"))
    with pytest.raises(DataError, match="not a pickle of plain arrays"):
        read_pickle(tmp_path / "x.pkl")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_containers_of_every_protocol(tmp_path, protocol):
    content = {"gnd": [{"bbx": [1, 2.5], "easy": []}], "imlist": ["a", "é"], "more": (None, True)}
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(content, protocol))
    assert read_pickle(tmp_path / "a.pkl") == content


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_no_code_is_run(tmp_path, protocol):
    owned, path = tmp_path / "owned", tmp_path / "evil.pkl"
    content = pickle.dumps({"gnd": Evil(owned)}, protocol)
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"asks for (posix|nt)\.mkdir"):
        read_pickle(path)
    assert not owned.exists()
    pickle.loads(content)
    assert owned.exists()  # pickle itself runs it


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"Nr\xff\xff\xff\x0f.", "numbers its 1 entries up to 268,435,455"),
        (b"Np999999999\n.", "numbers its 1 entries up to 999,999,999"),
        (b"\x80\x05\x96" + (8 << 30).to_bytes(8, "little") + b".", "declares 8,589,934,592 bytes"),
        (b"\x80\x04\x8e" + (8 << 30).to_bytes(8, "little") + b".", "declares 8,589,934,592 bytes"),
    ],
)
def test_what_would_take_memory_is_refused_before(tmp_path, content, message):
    (tmp_path / "a.pkl").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_pickle(tmp_path / "a.pkl")


def test_a_pickle_cannot_change_the_reader(tmp_path):
    change = b"c_codecs\nencode\n(N}S'__defaults__'\n(S'rot13'\ntstb."
    (tmp_path / "a.pkl").write_bytes(change)
    with pytest.raises(DataError, match="it changes a function"):
        read_pickle(tmp_path / "a.pkl")
    (tmp_path / "b.pkl").write_bytes(pickle.dumps(np.arange(3), 2))
    assert np.asarray(read_pickle(tmp_path / "b.pkl")).tolist() == [0, 1, 2]


@pytest.mark.parametrize("value", [{1}, Path("a"), ValueError("a"), print])
def test_every_class_and_function_is_refused(tmp_path, value):
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(value, 2))
    with pytest.raises(DataError, match="asks for"):
        read_pickle(tmp_path / "a.pkl")


def test_a_missing_pickle_is_named(tmp_path):
    with pytest.raises(DataError, match="No such file"):
        read_pickle(tmp_path / "b.pkl")
