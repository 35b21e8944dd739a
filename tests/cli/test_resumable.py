"""Ctrl-C in long work."""

import pytest
import typer

from lowlabel.cli.resumable import resumable


def test_ctrl_c_exits_with_130_and_says_how_to_resume(capsys):
    with pytest.raises(typer.Exit) as ended, resumable():
        raise KeyboardInterrupt
    assert ended.value.exit_code == 130
    assert "run the same command again to resume" in capsys.readouterr().err
