"""Images, archives, records, baselines, flags, recipes and the files of a training run."""

import io
import json
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, features

from lowlabel.analysis.maps.flags import read_flags
from lowlabel.classification import LinearRecipe, evaluate_linear
from lowlabel.classification.unfinished import Unfinished
from lowlabel.datasets.io.archives import unpack
from lowlabel.datasets.io.array_files import npz_images
from lowlabel.datasets.io.flagged import read_flagged
from lowlabel.datasets.io.pixels import is_deep, open_rgb, upright, with_refusal
from lowlabel.errors import UserError
from lowlabel.results.baseline import Baseline
from lowlabel.results.per_item import read_scores
from lowlabel.results.record_file import parse_record, read_archive
from lowlabel.results.store import load_record
from lowlabel.training.engine.checkpoint import FILE_NAME, load_checkpoint
from lowlabel.training.engine.metrics import FILE_NAME as METRICS
from lowlabel.training.engine.metrics import MetricsLog
from lowlabel.training.recipe import make_recipe

pytestmark = [pytest.mark.fuzz, pytest.mark.filterwarnings("ignore")]
ROOT = Path(__file__).parents[2]
IMAGE_ERRORS = (OSError, ValueError, SyntaxError)  # as `open_rgb` documents


@pytest.mark.parametrize(
    "kind", ["png", "jpg", "gif", "bmp", "tif", "ppm", "tga", "webp", "avif", "jp2"]
)
def test_images(tmp_path, attack, kind):
    needed = {"avif": "avif", "jp2": "jpg_2000"}
    if kind in needed and not features.check(needed[kind]):
        pytest.skip(f"this Pillow was built without {kind}")
    noise = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    path = tmp_path / f"a.{kind}"
    exif = {"exif": Image.Exif()} if kind in ("png", "jpg") else {}
    Image.fromarray(noise).save(path, **exif)

    def read(path):
        is_deep(path.read_bytes())
        with_refusal(path.parent, path.name)
        upright(open_rgb(path), path)

    attack(path, read, allowed=IMAGE_ERRORS)


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.tar.xz", "b.zip"])
def test_archives(tmp_path, attack, name):
    path = tmp_path / name
    contents = {f"c{i % 2}/{i}.txt": bytes([i]) * 50 for i in range(6)}
    if name.endswith("zip"):
        method = zipfile.ZIP_LZMA if name == "b.zip" else zipfile.ZIP_DEFLATED
        with zipfile.ZipFile(path, "w", method) as archive:
            for member, data in contents.items():
                archive.writestr(member, data)
    else:
        with tarfile.open(path, f"w:{name[6:]}") as archive:
            for member, data in contents.items():
                info = tarfile.TarInfo(member)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    target = tmp_path / "target"
    target.mkdir()
    attack(path, lambda path: unpack(path, target))


def test_records(tmp_path, attack):
    record = read_archive(ROOT / "results/leaderboard.tar.xz")[0]
    path = tmp_path / "a.json"
    path.write_text(json.dumps(record.to_json()))
    assert attack(path, load_record)
    np.savez_compressed(tmp_path / "b.npz", accuracy=np.arange(9.0))
    assert attack(tmp_path / "b.npz", lambda path: read_scores(path.with_suffix(".json")))


def test_an_archive_of_records(tmp_path, attack):
    path = tmp_path / "a.tar.xz"
    path.write_bytes((ROOT / "results/leaderboard.tar.xz").read_bytes())
    assert attack(path, read_archive, share=0.2)


def test_baselines(tmp_path, attack):
    path = tmp_path / "a.json"
    path.write_bytes((ROOT / "benchmarks/baselines/ci.json").read_bytes())
    assert attack(path, Baseline.load)


def test_flags(tmp_path, attack):
    path = tmp_path / "a.csv"
    path.write_text("path,reason,part\na/1.png,blank,\nb/2.png,'=x,novel\n")
    attack(path, read_flags)
    attack(path, read_flagged)


def test_arrays_of_images(tmp_path, attack):
    np.savez_compressed(tmp_path / "a.npz", images=np.zeros((3, 4, 4, 3), np.uint8))
    assert attack(tmp_path / "a.npz", lambda path: list(npz_images(path)), inside=True)


def test_recipes(tmp_path, attack):
    path = tmp_path / "a.toml"
    path.write_bytes((ROOT / "training/recipes/small-images.toml").read_bytes())
    attack(path, lambda path: make_recipe(preset=str(path)))


VALUES = [[1], {"a": 1}, "x", -1, 0, 1.5, True, 10**30, float("nan"), float("inf"), []]


@pytest.mark.parametrize("value", VALUES, ids=str)
def test_values_of_every_type_in_a_recipe(tmp_path, value):
    names = ("method", "arch", "epochs", "batch_size", "seed", "dtype", "drop_path", "views")
    names += ("options", "optimisation", "lr", "prototypes", "hidden", "global_size", "ratio")
    for name in names:
        shown = "{a = 1}" if isinstance(value, dict) else json.dumps(value).replace("N", "n")
        shown = shown.replace("Infinity", "inf").replace("naN", "nan")
        (tmp_path / "a.toml").write_text(f"{name} = {shown}\n")
        try:
            make_recipe(preset=str(tmp_path / "a.toml"))
        except UserError as error:
            assert error.message


def test_files_of_a_run(tmp_path, attack):
    content = {"format": 1, "fingerprint": {"arch": "x"}, "step": 1, "seconds": 1.0}
    content |= {"unreadable": [], "state": {"method": {"w": torch.zeros(4, 4)}}}
    torch.save(content, tmp_path / FILE_NAME)

    def resume(path):
        path.replace(path.parent / FILE_NAME) if path.name != FILE_NAME else None
        return load_checkpoint(path.parent, torch.device("cpu"))

    source = tmp_path / "source" / "checkpoint.pth"
    source.parent.mkdir()
    source.write_bytes((tmp_path / FILE_NAME).read_bytes())
    attack(source, lambda path: _as(path, FILE_NAME, resume), inside=True)
    source = tmp_path / "source" / METRICS
    source.write_text('{"step": 1, "loss": 2.5}\n{"step": 2, "loss": 2.25}\n')
    attack(source, lambda path: _as(path, METRICS, lambda p: MetricsLog(p.parent, 1).__exit__))


def test_the_state_of_a_linear_probe(tmp_path, attack):
    random = np.random.default_rng(0)
    sets = [random.normal(size=(8, 2)), np.arange(8) % 2] * 2
    state = tmp_path / "probe.partial"

    def train(path, every_s=1e9, progress=None):
        file = Unfinished(path, {"of": "x"}, every_s=every_s)
        recipe = LinearRecipe((0.1, 1.0), batch_size=4, iterations=4)
        evaluate_linear(*sets, recipe=recipe, unfinished=file, progress=progress, device="cpu")

    def kill(done, total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(state, 0, kill)
    assert attack(state, train, inside=True)


def _as(path, name, read):
    """Reads a file under the name that it has in a folder of its own."""
    folder = path.parent / "run"
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(path.read_bytes())
    return read(folder / name)


def test_json_that_nests_deep(tmp_path):
    for text in ("[" * 100_000, '{"a":' * 100_000):
        with pytest.raises(UserError, match="nests too deeply"):
            parse_record(text, "a.json")
        (tmp_path / "a.json").write_text(text)
        with pytest.raises(UserError, match="nests too deeply"):
            Baseline.load(tmp_path / "a.json")
