"""The code of a user's model is part of its name, so that no features of other code are served."""

import subprocess
import sys
from pathlib import Path

import pytest
import timm
import torch

from lowlabel.errors import DataError
from lowlabel.features import extract_features, load_backbone
from lowlabel.features.models import hub as hub_models
from lowlabel.features.models.code.user_code import folder_code

PIXELS = torch.randint(1, 256, (3, 32, 32, 3), dtype=torch.uint8)
HUBCONF = """
import torch
from layers import Scale

def net():
    return torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten(), Scale())
"""
LAYERS = """
import torch

class Scale(torch.nn.Module):
    def forward(self, x):
        return {factor} * x
"""


def repository(folder: Path, factor: int = 2) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "hubconf.py").write_text(HUBCONF)
    (folder / "layers.py").write_text(LAYERS.format(factor=factor))
    return folder


@pytest.fixture
def hub(tmp_path):
    return repository(tmp_path / "repo")


def test_features_of_changed_code_are_not_served(hub, images):
    old = load_backbone(f"hub:{hub}:net")
    before = extract_features(old, images)
    repository(hub, factor=3)  # as long as before, in the same second
    new = load_backbone(f"hub:{hub}:net")
    assert new.weights_sha256 == old.weights_sha256
    assert new.spec != old.spec
    after = extract_features(new, images)
    torch.testing.assert_close(2 * torch.tensor(after.features), 3 * torch.tensor(before.features))
    repository(hub)
    again = load_backbone(f"hub:{hub}:net")
    assert again.spec == old.spec
    assert torch.equal(again.embed(PIXELS), old.embed(PIXELS))


def test_a_repository_imports_its_own_modules_and_not_those_of_another(hub, tmp_path):
    other = repository(tmp_path / "other", factor=3)
    first, second = (load_backbone(f"hub:{folder}:net") for folder in (hub, other))
    torch.testing.assert_close(2 * second.embed(PIXELS), 3 * first.embed(PIXELS))
    assert first.spec != second.spec


def test_the_folder_may_move(hub, tmp_path):
    spec = load_backbone(f"hub:{hub}:net").spec
    assert load_backbone(f"hub:{hub.rename(tmp_path / 'moved')}:net").spec == spec


def test_modules_of_unchanged_code_are_imported_once(hub):
    load_backbone(f"hub:{hub}:net")
    module = sys.modules["layers"]
    load_backbone(f"hub:{hub}:net")
    assert sys.modules["layers"] is module


@pytest.mark.parametrize(
    ("name", "matters"),
    [
        ("deep/er/block.py", True),
        ("kernel.cu", True),
        ("config.yaml", True),
        ("README.md", False),
        ("weights.pth", False),
        ("records/score.json", False),
        (".cache/block.py", False),
        ("__pycache__/layers.py", False),
        ("env/lib/block.py", False),
    ],
)
def test_code_and_settings_in_the_folder_count(hub, name, matters):
    (hub / "env").mkdir()
    (hub / "env" / "pyvenv.cfg").write_text("")
    before = folder_code(hub)
    path = hub / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("A = 1")
    added = folder_code(hub)
    path.write_text("A = 2")
    assert (before != added, added != folder_code(hub)) == (matters, matters)


def test_local_modules_outside_the_folder_count(hub, tmp_path, monkeypatch):
    shared = tmp_path / "shared"
    package = shared / "lowlabel_test_shared"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (hub / "layers.py").write_text(
        "def unused():\n    from lowlabel_test_shared import sizes\n"
        "    import json, torch\n" + LAYERS.format(factor=2)
    )
    (package / "sizes.py").write_text("import lowlabel_test_alone\n")
    (shared / "lowlabel_test_alone.py").write_text("A = 1")
    (shared / "unrelated.py").write_text("A = 1")
    monkeypatch.syspath_prepend(str(shared))
    seen = {folder_code(hub)}
    for name in ("lowlabel_test_shared/sizes.py", "lowlabel_test_alone.py", "unrelated.py"):
        with (shared / name).open("a") as file:
            file.write("\n# changed")
        seen.add(folder_code(hub))
    assert len(seen) == 3


@pytest.mark.slow
def test_the_hash_is_the_same_in_every_process(hub):
    load_backbone(f"hub:{hub}:net")
    code = (
        "from pathlib import Path; from lowlabel.features.models.code.user_code import folder_code;"
        f"print(folder_code(Path({str(hub)!r})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == folder_code(hub)


@pytest.fixture(autouse=True)
def trusted(monkeypatch):
    """Code of repositories may run."""
    monkeypatch.setattr(hub_models, "require_trust", lambda repository: None)


def test_a_repository_of_github_is_hashed_where_it_was_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(
        torch.hub, "load", lambda repo, entry, source, **_: {"github": torch.nn.Flatten()}[source]
    )
    unpacked = repository(tmp_path / "someone_models_v1")
    spec = load_backbone("hub:someone/models:v1:net", pooling="head").spec
    assert spec == f"hub:net,code={folder_code(unpacked)}"
    repository(unpacked, factor=3)
    assert load_backbone("hub:someone/models:v1:net").spec != spec


def test_the_code_of_an_architecture_that_a_user_registers_counts(tmp_path, monkeypatch):
    module = tmp_path / "lowlabel_test_nets.py"
    module.write_text(
        "import timm\n\n@timm.models.register_model\n"
        "def lowlabel_test_net(pretrained=False, **options):\n"
        "    return timm.create_model('resnet10t', **options)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    import lowlabel_test_nets

    assert timm.is_model("lowlabel_test_net")
    torch.save(lowlabel_test_nets.lowlabel_test_net(num_classes=0).state_dict(), tmp_path / "a.pth")
    models = ("random:lowlabel_test_net", f"{tmp_path / 'a.pth'}:lowlabel_test_net")
    before = [load_backbone(model, resolution=32).spec for model in models]
    with module.open("a") as file:
        file.write("# changed")
    after = [load_backbone(model, resolution=32).spec for model in models]
    assert all("code=" in spec for spec in before)
    assert not set(before) & set(after)
    assert load_backbone("random:resnet10t", resolution=32).spec == "random:resnet10t,seed=0"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return {}['x']", r"line 3 of hubconf\.py: KeyError"),
        ("import sys; sys.exit(0)", r"line 3 of hubconf\.py: SystemExit"),
        ("return 3", "gives a int, not a torch"),
    ],
)
def test_an_entry_point_that_misbehaves_is_refused(hub, body, message):
    (hub / "hubconf.py").write_text(f"\ndef net():\n    {body}\n")
    with pytest.raises(DataError, match=message):
        load_backbone(f"hub:{hub}:net")
