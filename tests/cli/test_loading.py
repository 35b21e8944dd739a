import builtins
import signal
import subprocess
import sys

import pytest

from lowlabel.cli import command
from lowlabel.processes.interrupts import interruptible


@pytest.mark.usefixtures("default_signals")
def test_a_signal_waits_until_torch_is_imported(monkeypatch):
    """Raised in the initialisation of torch's library it would abort the process."""
    imported, original = [], builtins.__import__

    def import_slowly(name, *rest):
        if name == "torch":
            signal.raise_signal(signal.SIGINT)
            imported.append(name)
        return original(name, *rest)

    monkeypatch.setattr(builtins, "__import__", import_slowly)
    with interruptible(), pytest.raises(KeyboardInterrupt):
        command._import_torch()
    assert imported == ["torch"]


def test_what_is_imported_is_not_searched_for_cycles_at_the_end():
    script = """
import atexit, gc
from lowlabel.__main__ import command
atexit.register(lambda: print(gc.get_freeze_count() > 9_000, gc.get_threshold()[0]))
command(["list"])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.endswith("\nTrue 10000\n")
