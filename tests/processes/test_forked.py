import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lowlabel.processes import forked
from lowlabel.processes.forked import map_forked

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks on Linux only")


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forked, "usable_cores", lambda: 2)


def process_of(item: int) -> tuple[int, int]:
    time.sleep(0.01 * (item % 3))
    return item, os.getpid()


@linux
def test_results_come_in_order_from_other_processes() -> None:
    found = list(map_forked(process_of, range(20)))
    assert [item for item, _ in found] == list(range(20))
    assert 1 <= len({process for _, process in found} - {os.getpid()}) <= 2
    assert os.getpid() not in {process for _, process in found}


@pytest.mark.parametrize("why", ["one core", "one item", "no fork"])
def test_this_process_works_where_others_would_not_help(
    why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if why == "one core":
        monkeypatch.setattr(forked, "usable_cores", lambda: 1)
    if why == "no fork":
        monkeypatch.setattr(sys, "platform", "darwin")
    items = [3] if why == "one item" else [3, 4]
    assert list(map_forked(process_of, items)) == [(item, os.getpid()) for item in items]


def test_without_items_there_is_nothing_to_do() -> None:
    assert list(map_forked(process_of, [])) == []


def full(item: int) -> int:
    if item == 1:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "where.png")
    return item


@linux
def test_an_error_keeps_its_number_and_its_file() -> None:
    results = map_forked(full, range(4))
    assert next(results) == 0
    with pytest.raises(OSError, match="No space left") as caught:
        next(results)
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, "where.png")


def marked(path: str) -> None:
    time.sleep(0.05)
    Path(path).touch()


@linux
def test_closing_cancels_what_has_not_started(tmp_path: Path) -> None:
    results = map_forked(marked, [str(tmp_path / str(item)) for item in range(100)])
    next(results)
    results.close()
    done = len(list(tmp_path.iterdir()))
    assert done < 20
    time.sleep(0.2)
    assert len(list(tmp_path.iterdir())) == done


@linux
def test_processes_end_with_the_one_that_they_work_for() -> None:
    script = (
        "import os, time\n"
        "from lowlabel.processes import forked\n"
        "forked.usable_cores = lambda: 2\n"
        "def told(item): os.write(1, b'at work\\n'); time.sleep(60)\n"
        "list(forked.map_forked(told, range(4)))\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        assert {parent.stdout.readline() for _ in range(2)} == {b"at work\n"}
        parent.send_signal(signal.SIGKILL)
        killed = time.monotonic()
        assert parent.stdout.read() == b""  # no process holds the other end
    assert time.monotonic() - killed < 30
