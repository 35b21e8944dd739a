"""One guard for every reader: damage is a `DataError`, and sizes are checked first."""

import errno

import pytest

from lowlabel.errors import DataError, InputError
from lowlabel.paths import short_name
from lowlabel.reading import DAMAGE, reading, require_room


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
