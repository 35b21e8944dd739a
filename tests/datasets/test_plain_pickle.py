import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from lowlabel.datasets.plain_pickle import read_plain_pickle
from lowlabel.errors import DataError


class Malicious:
    """Runs a command when it is unpickled by the book."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_containers_are_read(tmp_path, protocol):
    content = {"gnd": [{"bbx": [1, 2.5], "easy": []}], "imlist": ["a", "b"], "more": (None, True)}
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(content, protocol))
    assert read_plain_pickle(tmp_path / "a.pkl") == content


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_nothing_is_run(tmp_path, protocol):
    mark, path = tmp_path / "ran", tmp_path / "evil.pkl"
    content = pickle.dumps({"gnd": Malicious(mark)}, protocol)
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"not safe to read: it names (posix|nt|os)\.system"):
        read_plain_pickle(path)
    assert not mark.exists()
    pickle.loads(content)
    assert mark.exists()  # so it was the reader that kept it from running


@pytest.mark.parametrize("value", [np.arange(3), Path("a"), ValueError("a"), print])
def test_every_class_and_function_is_refused(tmp_path, value):
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(value))
    with pytest.raises(DataError, match="not safe to read"):
        read_plain_pickle(tmp_path / "a.pkl")


@pytest.mark.parametrize(
    "content", [b"", b"<html>404</html>", pickle.dumps([1] * 99)[:50], b"\x80\x04."]
)
def test_damage_is_said(tmp_path, content):
    (tmp_path / "a.pkl").write_bytes(content)
    with pytest.raises(DataError, match="no whole pickle"):
        read_plain_pickle(tmp_path / "a.pkl")
    with pytest.raises(DataError, match="cannot read"):
        read_plain_pickle(tmp_path / "b.pkl")


@pytest.mark.parametrize(("name", "images"), [("roxford5k", 4993), ("rparis6k", 6322)])
def test_published_files(real_data, name, images):
    truth = read_plain_pickle(real_data.parent / "lists" / "revisited" / f"gnd_{name}.pkl")
    assert (len(truth["imlist"]), len(truth["qimlist"]), len(truth["gnd"])) == (images, 70, 70)
