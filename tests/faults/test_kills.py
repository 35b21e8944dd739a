"""Commands that a signal ends at random moments, or whose disk is full: what is run again
afterwards has the results of one that was not disturbed.

LOWLABEL_FAULTS is the number of moments for each command; another LOWLABEL_FAULTS_SEED takes
others.
"""

import os
import random
import signal
import time
from contextlib import suppress

import pytest
from disturbed import COMMANDS, results

COUNT = int(os.environ.get("LOWLABEL_FAULTS", "1"))
SEED = os.environ.get("LOWLABEL_FAULTS_SEED", "")
SIGNALS = (signal.SIGKILL, signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def finished(command):
    code, text = command.end()
    assert code == 0, text


def signalled(command, number):
    """Sends a signal; whether it ended the command, which then says so in a line."""
    with suppress(ProcessLookupError):
        os.kill(command.process.pid, number)
    code, text = command.end()
    assert code in (0, -number, 128 + number), text  # ended before, not begun, or interrupted
    assert "Traceback" not in text, text
    assert ("interrupted: run the same command again" in text) == (code == 128 + number), text
    return code != 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", COMMANDS)
def test_a_command_that_is_killed_at_any_moment_ends_with_the_same_results(run, kind, tmp_path):
    started = time.monotonic()
    finished(run(kind, "whole"))
    seconds = time.monotonic() - started
    expected = results(tmp_path / "whole", kind)
    assert expected
    draw = random.Random(f"{kind} {SEED}")
    killed = 0
    for number in range(COUNT):
        for _ in range(draw.choice((1, 1, 2))):
            command = run(kind, f"killed{number}")
            time.sleep(draw.uniform(0, seconds))
            killed += signalled(command, draw.choice(SIGNALS))
        finished(run(kind, f"killed{number}"))
        assert results(tmp_path / f"killed{number}", kind) == expected
        assert not list((tmp_path / f"killed{number}").rglob("*.partial"))
    assert killed or COUNT < 5


@pytest.mark.slow
@pytest.mark.parametrize("kind", COMMANDS)
def test_a_command_whose_disk_is_full_says_so_and_then_ends_with_the_same_results(
    run, kind, tmp_path
):
    finished(run(kind, "whole"))
    expected = results(tmp_path / "whole", kind)
    files = [path for path in (tmp_path / "whole").rglob("*") if path.is_file()]
    largest = max(path.stat().st_size for path in files)
    draw, refused = random.Random(f"{kind} full {SEED}"), 0
    for number in range(COUNT):
        most = 4096 + int(draw.random() * largest)
        code, text = run(kind, f"full{number}", most_bytes=most).end()
        assert "Traceback" not in text, text
        if code:
            refused += 1
            assert code == 2, text
            assert "cannot write" in text
        finished(run(kind, f"full{number}"))
        assert results(tmp_path / f"full{number}", kind) == expected
    assert refused or COUNT < 5


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["predict", "picture", "report"])
def test_a_full_disk_leaves_earlier_files_and_no_half_of_another(run, kind, tmp_path):
    finished(run(kind, "old"))
    expected = results(tmp_path / "old", kind)
    largest = max(len(content) for content in expected.values())
    for name in expected:
        (tmp_path / "old" / "out" / name).write_bytes(b"earlier")
    code, text = run(kind, "old", most_bytes=largest - 1).end()
    assert code == 2 and "cannot write" in text, text
    found = results(tmp_path / "old", kind)
    assert found.keys() == expected.keys()
    assert all(found[name] in (b"earlier", expected[name]) for name in found)
    assert b"earlier" in found.values()
    assert not list((tmp_path / "old").rglob("*.tmp"))
