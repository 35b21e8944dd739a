"""`--help` as it is rendered: complete, with every default, and without torch."""

import dataclasses
import re
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from lowlabel import __version__
from lowlabel.cli import app
from lowlabel.training import Recipe

HEAVY = ("torch", "timm", "numba", "h5py", "pandas", "sklearn", "scipy", "matplotlib", "faiss")


def commands(group=None, path=()):
    """Every command with its words, groups included."""
    group = group or typer.main.get_command(app)
    yield path, group
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, (*path, name))


COMMANDS = dict(commands())
PARAMETERS = [
    pytest.param(path, parameter, id=" ".join([*path, parameter.name]))
    for path, command in COMMANDS.items()
    for parameter in command.params
]


@pytest.fixture(scope="module")
def rendered():
    """The help of a command, every option in one line."""
    wide = {"COLUMNS": "600", "NO_COLOR": "1", "TERM": "dumb"}
    texts: dict[tuple[str, ...], str] = {}

    def render(path: tuple[str, ...]) -> str:
        if path not in texts:
            texts[path] = CliRunner().invoke(app, [*path, "--help"], env=wide).output
        return texts[path]

    return render


def row(text: str, parameter) -> str:
    """The line of an option or argument."""
    name = max(parameter.opts, key=len)
    (line,) = [line for line in text.splitlines() if re.search(rf"^│[ *]+{name}(\.\.\.)?\s", line)]
    return line


@pytest.mark.slow
def test_every_command_helps_without_heavy_libraries():
    code = f"""
import sys
sys.modules.update(dict.fromkeys({HEAVY}))  # importing one of them is an ImportError
from lowlabel.cli import main
for path in {list(COMMANDS)}:
    try:
        main([*path, "--help"])
    except SystemExit as ended:
        assert not ended.code, path
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for path in COMMANDS:
        assert f"Usage: {' '.join(['lowlabel', *path])} " in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(("path", "parameter"), PARAMETERS)
def test_help_texts_are_shown_in_full(rendered, path, parameter):
    assert parameter.help
    assert " ".join(parameter.help.split()) in row(rendered(path), parameter)


@pytest.mark.parametrize(("path", "parameter"), PARAMETERS)
def test_defaults_are_shown(rendered, path, parameter):
    stands_for = parameter.show_default
    default = f"({stands_for})" if isinstance(stands_for, str) else parameter.default
    if default is not None and default is not False:
        assert f"[default: {default}]" in row(rendered(path), parameter)


@pytest.mark.parametrize("field", ["method", "arch", "epochs", "batch_size", "seed", "dtype"])
def test_a_default_that_the_recipe_has_is_shown(rendered, field):
    (parameter,) = [p for p in COMMANDS["pretrain",].params if p.name == field]
    recipe = dataclasses.asdict(Recipe())
    shown = f"[default: (the preset's, else {recipe[field]})]"
    assert shown in row(rendered(("pretrain",)), parameter)


@pytest.mark.parametrize(
    "start", [["-m", "lowlabel"], ["-c", "from lowlabel.cli import *; main()"]]
)
def test_the_version(start):
    done = subprocess.run([sys.executable, *start, "--version"], capture_output=True, text=True)
    assert done.stdout == f"lowlabel {__version__}\n", done.stderr


def test_the_module_is_the_command(tmp_path):
    (tmp_path / "typer.py").write_text("raise SystemExit('a file of the user hides typer')")
    command = [sys.executable, "-m", "lowlabel", "check", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Usage: lowlabel check [OPTIONS]" in done.stdout


def test_the_first_line_of_a_run_comes_before_torch():
    code = (
        "import sys\n"
        "class NoTorch:\n"
        "    def find_spec(self, name, *_):\n"
        "        return sys.exit('torch') if name == 'torch' else None\n"
        "sys.meta_path.insert(0, NoTorch())\n"
        "from lowlabel.cli import main\n"
        "main(['run', '--dry-run'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    lines = done.stderr.splitlines()
    assert (lines[0], lines[-1]) == (f"lowlabel {__version__} run: loading PyTorch …", "torch")
