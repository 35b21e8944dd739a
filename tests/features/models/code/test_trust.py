"""The code of a hub: model runs once it was allowed, and as it was then."""

import pytest

from lowlabel.cli import main
from lowlabel.errors import DataError
from lowlabel.features import load_backbone
from lowlabel.features.models.code.trust import NAME, trust_code

HUBCONF = """
from pathlib import Path
Path(__file__).with_name("ran").touch()
import torch
def net():
    return torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
"""


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "hubconf.py").write_text(HUBCONF)
    return folder


def test_code_runs_once_it_was_allowed_and_until_it_changes(repository):
    spec = f"hub:{repository}:net"
    with pytest.raises(DataError, match="runs the code of that repository") as caught:
        load_backbone(spec, device="cpu")
    assert "--trust-code" in caught.value.hint
    trust_code(spec)
    assert not (repository / "ran").exists()
    load_backbone(spec, device="cpu")
    assert (repository / "ran").exists()
    (repository / "hubconf.py").write_text(HUBCONF + "# changed\n")
    with pytest.raises(DataError, match="Its code changed since it was allowed"):
        load_backbone(spec, device="cpu")


def test_the_option_allows_code_and_a_run_without_it_says_so(repository, home, capsys):
    spec = f"hub:{repository}:net"
    run = ["run", "--suite", "knn", "--dataset", "demo", "--model", spec, "--dry-run"]
    with pytest.raises(SystemExit) as stopped:
        main(run)
    assert stopped.value.code == 2
    assert "--trust-code" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stopped:
        main([*run, "--trust-code"])
    assert stopped.value.code == 0
    assert (home / NAME).is_file()
    assert not (repository / "ran").exists()


@pytest.mark.parametrize("content", ["[" * 99_999, "[1]", "3", "{"])
def test_a_damaged_list_of_trusted_code_is_no_permission(repository, home, content):
    home.mkdir(parents=True, exist_ok=True)
    (home / NAME).write_text(content)
    with pytest.raises(DataError, match="is damaged"):
        load_backbone(f"hub:{repository}:net", device="cpu")


def test_the_code_of_a_repository_on_github_is_allowed_without_running_it(
    repository, home, tmp_path, monkeypatch
):
    """A copy that torch.hub keeps stands for the download."""
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path / "hub"))
    kept = tmp_path / "hub" / "someone_networks_v1"
    kept.parent.mkdir()
    repository.rename(kept)
    trust_code("hub:someone/networks:v1:net")
    assert (home / NAME).is_file()
    assert not (kept / "ran").exists()
    load_backbone("hub:someone/networks:v1:net", device="cpu")
    assert (kept / "ran").exists()
