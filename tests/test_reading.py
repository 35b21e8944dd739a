"""One guard for every reader: damage is a `DataError`, and sizes are checked first."""

import errno
import os

import pytest
import torch

from lowlabel.datasets.io.flagged import read_flagged
from lowlabel.datasets.io.overlap import read_overlap
from lowlabel.errors import DataError, InputError
from lowlabel.features import load_feature_file
from lowlabel.paths import short_name
from lowlabel.reading import DAMAGE, reading, reason, refusal, require_room
from lowlabel.results import Baseline, load_records


@pytest.mark.parametrize("kind", DAMAGE)
def test_what_a_damaged_file_can_raise_is_a_user_error(kind):
    with pytest.raises(DataError, match=r"^a\.x is damaged: "), reading("a.x", "a.x is damaged"):
        raise kind("why") if kind is not UnicodeError else ValueError("why")


def test_errors_for_users_and_of_the_system_stay_what_they_are():
    with pytest.raises(InputError, match="mine"), reading("a.x"):
        raise InputError("mine")
    with pytest.raises(DataError, match=r"cannot read a\.x") as caught, reading("a.x", "damaged"):
        raise OSError(errno.EMFILE, "Too many open files")
    assert "ulimit" in caught.value.hint
    with pytest.raises(KeyboardInterrupt), reading("a.x"):
        raise KeyboardInterrupt


def test_sizes_are_compared_with_the_file_and_with_memory():
    require_room("x", 60 << 20, 0)
    require_room("x", 1 << 30, 1 << 29)
    with pytest.raises(DataError, match="would need 6,400,000,000 bytes"):
        require_room("x", 6_400_000_000, 6_000_000)
    with pytest.raises(DataError, match="this computer has"):
        require_room("x", 1 << 60, 1 << 60)


def test_long_names_are_cut_and_told_apart():
    assert short_name("a" * 80) == "a" * 80
    one, other = short_name("é" * 300), short_name("é" * 301)
    assert one != other
    assert len(one.encode()) <= 80


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
@pytest.mark.parametrize(
    "read", [read_overlap, read_flagged, Baseline.load, load_records, load_feature_file]
)
def test_a_pipe_is_refused_rather_than_waited_for(tmp_path, read):
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(DataError, match=r"pipe\.csv"):
        read(tmp_path / "pipe.csv")
    os.mkfifo(tmp_path / "a-1.json")
    with pytest.raises(DataError, match="it is a pipe or a device"):
        load_records(tmp_path)


def test_what_the_system_refuses_is_told_and_what_may_be_a_defect_is_not():
    full = OSError(errno.ENOSPC, "No space left on device", "/x/y")
    found = refusal(full)
    assert found is not None
    assert found.message == "/x/y: No space left on device"
    assert "Free some space" in found.hint
    assert refusal(FileNotFoundError(errno.ENOENT, "none", "/x")) is None
    assert refusal(OSError("of a library")) is None


def test_a_reason_does_not_list_every_form_of_a_function():
    with pytest.raises(TypeError, match="expected one of") as error:
        torch.linspace(0, "nan", 3)
    said = reason(error.value)
    assert "linspace() received an invalid combination of arguments" in said
    assert "\n" not in said
    assert "expected one of" not in said
