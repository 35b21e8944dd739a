import subprocess
import sys

import numpy as np
import PIL
import pytest

import lowlabel
from lowlabel.results.environment import describe_environment, source_commit


def git(folder, *arguments):
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    done = subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path):
    source = tmp_path / "src" / "package"
    source.mkdir(parents=True)
    (source / "__init__.py").write_text("")
    (tmp_path / "other.txt").write_text("1")
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    return tmp_path


def test_the_commit_of_a_checkout(checkout):
    commit = git(checkout, "rev-parse", "HEAD")
    assert source_commit(checkout / "src/package/__init__.py") == commit


def test_a_changed_checkout_is_dirty_and_a_new_file_is_not(checkout):
    commit = git(checkout, "rev-parse", "HEAD")
    source = checkout / "src/package/__init__.py"
    (checkout / "results.json").write_text("{}")
    assert source_commit(source) == commit
    (checkout / "other.txt").write_text("2")
    assert source_commit(source) == f"{commit}-dirty"


def test_a_package_inside_a_foreign_checkout_has_no_commit(checkout):
    installed = checkout / ".venv" / "package"
    installed.mkdir(parents=True)
    (installed / "__init__.py").write_text("")
    assert source_commit(installed / "__init__.py") is None


def test_outside_a_checkout_there_is_no_commit(tmp_path):
    (tmp_path / "__init__.py").write_text("")
    assert source_commit(tmp_path / "__init__.py") is None


def test_without_git_there_is_no_commit(checkout, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert source_commit(checkout / "src/package/__init__.py") is None


def test_versions_are_those_that_run():
    environment = describe_environment("cpu (2 threads)")
    assert environment.lowlabel == lowlabel.__version__
    assert environment.numpy == np.__version__
    assert environment.pillow == PIL.__version__
    assert environment.python == ".".join(map(str, sys.version_info[:3]))
    assert environment.device == "cpu (2 threads)"


def test_this_package_does_not_import_torch():
    code = "import sys, lowlabel.results; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
