import builtins
import signal

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
