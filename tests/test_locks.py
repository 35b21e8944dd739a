import pytest

from lowlabel.errors import DataError
from lowlabel.locks import LockError, file_lock


def test_who_waits_says_so_and_gives_up_in_time(tmp_path, capsys):
    path = tmp_path / "some.lock"
    with file_lock(path, "Try another disk."):
        assert capsys.readouterr().out == ""
        with (
            pytest.raises(LockError, match=r"some\.lock") as caught,
            file_lock(path, "Try another disk.", waiting="waiting …", most_s=0.1),
        ):
            pytest.fail("two hold the lock")
        assert capsys.readouterr().out == "waiting …\n"
    assert caught.value.hint == "Try another disk."
    with file_lock(path, ""):
        assert capsys.readouterr().out == ""


def test_a_lock_is_released_after_an_error(tmp_path):
    with pytest.raises(ZeroDivisionError), file_lock(tmp_path / "some.lock", ""):
        raise ZeroDivisionError
    with file_lock(tmp_path / "some.lock", "", most_s=0):
        pass


def test_a_folder_that_is_not_there_cannot_be_locked(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot lock"), file_lock(tmp_path / "file" / "a.lock", ""):
        pytest.fail("locked")
