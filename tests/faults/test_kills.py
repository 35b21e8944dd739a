"""Commands that are killed at random moments, or whose disk is full: what is run again afterwards
has the results of one that was not disturbed.

LOWLABEL_FAULTS is the number of moments for each command; another LOWLABEL_FAULTS_SEED takes
others.
"""

import json
import os
import random
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from processes import commands
from safetensors.numpy import load_file

from lowlabel.results.per_item import read_scores, scores_path

COUNT = int(os.environ.get("LOWLABEL_FAULTS", "1"))
SEED = os.environ.get("LOWLABEL_FAULTS_SEED", "")
ARCH = "vit_tiny_patch16_224,patch_size=8,embed_dim=24,depth=1,num_heads=2"
MODEL = f"random:{ARCH},img_size=16"
TRAIN = ["--epochs", "3", "--batch-size", "8", "--workers", "0", "--device", "cpu"]
VIEWS = ["global_size=16", "local_size=8", "local_crops=2", "prototypes=64", "hidden=16"]
FOLDER = "folder:images"
COMMANDS = {
    "extract": ["extract", "--model", MODEL, "--dataset", FOLDER, "--engine", "torch"],
    "pretrain": [
        *("pretrain", "dino", "--arch", f"timm:{ARCH}", "--dataset", FOLDER, *TRAIN),
        *("--output", "out", "--set", "bottleneck=8", "--set", "warmup_epochs=1"),
        *(word for view in VIEWS for word in ("--set", view)),
    ],
    "finetune": [
        *("finetune", "--loss", "margin", "--model", MODEL, "--dataset", FOLDER, *TRAIN),
        *("--output", "out", "--set", "dimension=8", "--set", "validation=0.3"),
    ],
    "sweep": [
        *("run", "--suite", "retrieval", "--suite", "knn", "--model", MODEL, "--model", "pixels"),
        *("--dataset", FOLDER, "--output", "out", "--launcher", "local", "--resolution", "16"),
    ],
}


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A folder of six classes of eight images to train on, and four to test on."""
    root, noise = tmp_path_factory.mktemp("images") / "images", np.random.default_rng(0)
    for number in range(10):
        folder = root / ("train" if number < 6 else "test") / f"class{number}"
        folder.mkdir(parents=True)
        for row in range(8):
            pixels = 20 * number + noise.integers(0, 50, (20, 24, 3))
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{row}.png")
    return root


@pytest.fixture
def run(images, tmp_path):
    """Starts a command in a folder with a home of its own, beside a copy of the images."""
    with commands(tmp_path) as launcher:

        def start(kind, name, **limits):
            folder = tmp_path / name
            if not folder.exists():
                shutil.copytree(images, folder / "images")
            home = str(folder / "home")
            return launcher.start(*COMMANDS[kind], FOLDER=str(folder), LOWLABEL_HOME=home, **limits)

        yield start


def finished(command):
    code, text = command.end()
    assert code == 0, text


def results(folder: Path, kind: str) -> dict[str, object]:
    """What a command leaves that must be the same, by name."""
    if kind == "extract":
        return {file.name: file.read_bytes() for file in folder.glob("home/features/*.h5")}
    if kind in ("pretrain", "finetune"):
        weights = load_file(folder / "out" / "backbone.safetensors")
        return {name: tensor.tobytes() for name, tensor in weights.items()}
    found: dict[str, object] = {}
    for record in (folder / "out" / "records").glob("*.json"):
        arrays = read_scores(scores_path(record))
        found[record.name] = (
            json.loads(record.read_text())["scores"],
            {name: values.tobytes() for name, values in arrays.items()},
        )
    return found


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
            command.process.kill()
            killed += command.end()[0] == -9
        finished(run(kind, f"killed{number}"))
        assert results(tmp_path / f"killed{number}", kind) == expected
        assert not list((tmp_path / f"killed{number}").rglob("*.partial"))
    assert killed or COUNT < 5


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
