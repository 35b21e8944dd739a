"""Every command of docs/sources.md parses, and plans where it has a dry run."""

import pickle
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from lowlabel.cli import app
from lowlabel.datasets import DATASETS

PAGE = Path(__file__).parents[2] / "docs" / "sources.md"
COMMANDS = re.findall(r"`(lowlabel [^`]+)`", PAGE.read_text())
ABSENT = re.compile(r"is not prepared|there is no \S+, where .* is looked for")
OWN = re.compile(r"'?(runs/\S+|\S+\.pth\S*)'?$")  # files of the reader's


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the files that the page calls the reader's own, as small as they can be."""
    folder, random = tmp_path_factory.mktemp("sources"), np.random.default_rng(0)
    for name in ("novel_features.plk", "dino_test_miniimagenet.p", "base_features.plk"):
        table = {label: random.random((20, 3), np.float32) for label in range(20)}
        (folder / name).write_bytes(pickle.dumps(table))
    (folder / "dino_train_miniimagenet.p").write_bytes((folder / name).read_bytes())
    for part in ("ships/pretext", *(f"ships/{p}/{c}" for p in ("train", "val") for c in "ab")):
        (folder / part).mkdir(parents=True)
        for number in range(64 if part.endswith("pretext") else 3):
            Image.new("RGB", (8, 8), (90, 2 * number, 9)).save(folder / part / f"{number}.png")
    return folder


def write_features(path, division):
    """Writes a file with the counts of a division's scored part, of one dimension."""
    counts = division.expected[division.evaluated]
    labels = np.arange(counts.images) % counts.classes
    table = {label: np.ones((n, 1), np.float16) for label, n in enumerate(np.bincount(labels))}
    path.write_bytes(pickle.dumps(table))


def plan(command, place, monkeypatch, tmp_path):
    """The words of a failure; empty if the command parses, and plans if it has a dry run."""
    monkeypatch.chdir(place)
    monkeypatch.setenv("LOWLABEL_HOME", str(tmp_path))
    words = shlex.split(command)[1:]
    if declared := re.search(r"--features-of ([\w-]+):(\w+)", command):
        write_features(place / "novel_features.plk", DATASETS[declared[1]].division(declared[2]))
    if words[0] in ("run", "pretrain", "finetune"):
        stand_ins = iter(("pixels", "demo_vit", "random:resnet10t"))
        words = [
            next(stand_ins)
            if (words[0], before) == ("run", "--model") and OWN.fullmatch(word)
            else word
            for before, word in zip(["", *words], words, strict=False)
        ]
        found = CliRunner().invoke(app, [*words, "--dry-run"])
        said = f"{found.output}{found.exception or ''}"
        return "" if found.exit_code == 0 or ABSENT.search(said) else said
    group, name = typer.main.get_command(app), words.pop(0)
    command = group.get_command(None, name)
    if name == "analyze":
        command = command.get_command(None, words.pop(0))
    try:
        command.make_context(name, words)
    except Exception as error:
        return str(error)
    return ""


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_commands_of_the_page_parse_and_plan(command, place, monkeypatch, tmp_path):
    assert not plan(command, place, monkeypatch, tmp_path)


@pytest.mark.parametrize(
    "command",
    [
        "lowlabel run --suite no-such --dataset cub --model dino_vits16",
        "lowlabel run --suite fewshot-dc --dataset no-such --model dino_vits16",
        "lowlabel run --suite fewshot-dc --dataset cub:no-such --model dino_vits16",
        "lowlabel run --suite fewshot-dc --dataset cub --model no_such",
        "lowlabel run --suite fewshot-dc --dataset cub --model dino_vits16 --method no-such",
        "lowlabel run --suite fewshot-dc --dataset cub --model dino_vits16 --k 3",
        "lowlabel run --suite fewshot-dc --features no-such.plk",
        "lowlabel run --suite fewshot-dc --features novel_features.plk --features-of cub,model=x",
        "lowlabel run --suite classification --dataset imagenet --model pixels --set linear.x=1",
        "lowlabel pretrain --preset no-such --dataset imagenet --output runs/x",
        "lowlabel pretrain --preset ssl-vit-mini --dataset no-such --output runs/x",
        "lowlabel pretrain --preset ssl-vit-mini --dataset imagenet --no-such",
        "lowlabel finetune --dataset cub --loss no-such --model dino_vits16 --output runs/x",
        "lowlabel finetune --dataset cub --loss margin --model no_such --output runs/x",
        "lowlabel analyze attention photo.jpg --no-such",
        "lowlabel prepare cub --no-such",
    ],
)
def test_a_wrong_name_or_option_would_be_found(command, place, monkeypatch, tmp_path):
    assert plan(command, place, monkeypatch, tmp_path)


def test_the_page_has_every_preset_of_its_projects_and_a_link():
    presets = {path.stem for path in (PAGE.parents[1] / "training" / "recipes").glob("*.toml")}
    ours = {"demo-vit", "small-images", "pw-self-vitb8-containing"}
    dino = {"dino-vits16-100ep", "dino-vits16-300ep", "dino-r50-100ep"}  # of the method itself
    named = set(re.findall(r"--preset (\S+)", " ".join(COMMANDS)))
    assert named == presets - ours - dino
    assert "docs/sources.md" in (PAGE.parents[1] / "README.md").read_text()
