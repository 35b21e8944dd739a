"""Commands that start in a folder with a home and inputs of its own."""

import shutil
from types import MappingProxyType

import pytest
from disturbed import COMMANDS, PIXELS, write_inputs
from processes import commands


@pytest.fixture(scope="session")
def inputs(tmp_path_factory):
    """Images, an archive and records."""
    root = tmp_path_factory.mktemp("inputs")
    write_inputs(root)
    with commands(root) as launcher:
        scored = ["run", "--suite", "knn", *PIXELS, "--output", "results"]
        home = str(root.with_name("home"))
        code, text = launcher.start(*scored, FOLDER=str(root), LOWLABEL_HOME=home).end()
        assert code == 0, text
    return root


@pytest.fixture
def run(inputs, tmp_path):
    """Starts a command; it is told the folder's name, and options of other values."""
    with commands(tmp_path) as launcher:

        def start(kind, name, changes=MappingProxyType({}), **limits):
            folder, arguments = tmp_path / name, list(COMMANDS[kind])
            for option, value in changes.items():
                arguments[arguments.index(option) + 1] = value
            if not folder.exists():
                shutil.copytree(inputs, folder)
            home = str(folder / "home")
            return launcher.start(*arguments, FOLDER=str(folder), LOWLABEL_HOME=home, **limits)

        yield start
