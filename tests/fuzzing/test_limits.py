"""What stops a reader that does not return: the limits of `attack` themselves."""

import time

import pytest

pytestmark = pytest.mark.fuzz


def damaged_only(path, read):
    """`attack` first reads the file that is whole."""
    if path.name.startswith("bad-"):
        read()


def compute():
    while True:
        sum(range(1000))


def wait():
    while True:
        time.sleep(0.01)


@pytest.fixture
def limits(attack, monkeypatch):
    def change(**values):
        for name, value in {"CHECKED_S": 0.02, **values}.items():
            assert name in attack.__globals__
            monkeypatch.setitem(attack.__globals__, name, value)

    return change


@pytest.mark.parametrize(
    ("read", "limit"), [(compute, {"MOST_S": 0.2}), (wait, {"MOST_LOOKS": 10})]
)
def test_a_reader_that_hangs_is_stopped(tmp_path, attack, limits, read, limit):
    limits(**limit)
    (tmp_path / "a").write_bytes(b"a")
    with pytest.raises(BaseException, match=r"mutation 0 of a hangs: .* s computed, looked at"):
        attack(tmp_path / "a", lambda path: damaged_only(path, read))


def test_a_reader_that_a_busy_machine_delays_is_not_stopped(tmp_path, attack, limits):
    limits(MOST_S=0.2, COUNT=1)
    (tmp_path / "a").write_bytes(b"a")
    assert attack(tmp_path / "a", lambda path: damaged_only(path, lambda: time.sleep(0.5))) == 0
