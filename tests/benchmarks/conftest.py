import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lowlabel.benchmarks import Request, Run, make_plan, run_plan
from lowlabel.datasets import DATASETS, prepared_folder
from lowlabel.features import BackboneOptions, EmbeddedDataset, embedded_file


@pytest.fixture
def feature_file(tmp_path: Path) -> Path:
    """Eight classes of ten features, and six base classes of twelve."""
    random = np.random.default_rng(0)
    arrays = {}
    for prefix, classes, images in (("", 8, 10), ("base_", 6, 12)):
        labels = np.repeat(np.arange(classes), images)
        centres = random.normal(size=(classes, 16))
        noise = 0.8 * random.normal(size=(len(labels), 16))
        arrays |= {f"{prefix}features": centres[labels] + noise, f"{prefix}labels": labels}
    np.savez(tmp_path / "mine.npz", **arrays)
    return tmp_path / "mine.npz"


@pytest.fixture
def data(feature_file: Path) -> EmbeddedDataset:
    return embedded_file(feature_file)


@pytest.fixture
def learned(tmp_path: Path) -> EmbeddedDataset:
    """Four classes; the labels to learn from are those that are scored."""
    random = np.random.default_rng(0)
    centres = random.normal(size=(4, 16))
    arrays = {}
    for prefix, images in (("", 10), ("base_", 15)):
        labels = np.repeat(np.arange(4), images)
        noise = random.normal(size=(len(labels), 16))
        arrays |= {f"{prefix}features": centres[labels] + noise, f"{prefix}labels": labels}
    np.savez(tmp_path / "learned.npz", **arrays)
    return embedded_file(tmp_path / "learned.npz")


@pytest.fixture
def draw_birds(tmp_path: Path) -> Callable[[int, int], str]:
    """Draws a folder of three classes with train, val and test, in images of a size."""

    def draw(height: int, width: int) -> str:
        random = np.random.default_rng(0)
        for name, colour in (("crow", 40), ("gull", 200), ("finch", 120)):
            for part, images in (("train", 6), ("val", 2), ("test", 3)):
                folder = tmp_path / "birds" / part / name
                folder.mkdir(parents=True)
                for index in range(images):
                    noise = random.integers(-20, 20, (height, width, 3))
                    Image.fromarray((colour + noise).astype(np.uint8)).save(folder / f"{index}.png")
        return f"folder:{tmp_path / 'birds'}"

    return draw


@pytest.fixture
def request_of(tmp_path: Path) -> Callable[..., Request]:
    """A request for pixels on a suite, with records in a folder of the test."""

    def make(suite: str, *dataset: str, **changes: object) -> Request:
        options = {"dataset": dataset} if dataset else {}
        options |= changes.pop("options", {})
        fields = {
            "model": () if "features" in changes else ("pixels",),
            "backbone": BackboneOptions(device="cpu")
            if "features" in changes
            else BackboneOptions("head", 4, device="cpu"),
            "allow_partial": True,
        }
        return Request(suite, tmp_path / "out", options=options, **(fields | changes))

    return make


@pytest.fixture
def run(request_of: Callable[..., Request]) -> Callable[..., Run]:
    """Runs a request and gives its outcome; a failure fails the test."""

    def carry_out(suite: str, *dataset: str, **changes: object) -> Run:
        request = request_of(suite, *dataset, **changes)
        outcome = run_plan(make_plan(request), request)
        assert outcome.failures == []
        return outcome

    return carry_out


def _picture(path: Path, random: np.random.Generator) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(random.integers(0, 256, (16, 20, 3), dtype=np.uint8)).save(path)


@pytest.fixture
def landmarks() -> str:
    """Ten pictures and two queries in the layout of ROxford5k."""
    root, random = prepared_folder(DATASETS["roxford5k"]), np.random.default_rng(0)
    names = [f"keble_{number}" for number in range(12)]
    for name in names:
        _picture(root / "jpg" / f"{name}.jpg", random)
    gnd = [{"bbx": [2, 3, 18.5, 12], "easy": [0], "hard": [1, 2], "junk": [3]}] * 2
    truth = {"imlist": names[:10], "qimlist": names[10:], "gnd": gnd}
    (root / "gnd_roxford5k.pkl").write_bytes(pickle.dumps(truth))
    return "roxford5k"


@pytest.fixture
def copies() -> str:
    """Four originals with two copies each, in the layout of Copydays."""
    root, random = prepared_folder(DATASETS["copydays"]), np.random.default_rng(0)
    for number in range(4):
        _picture(root / "original" / f"200{number}00.jpg", random)
        for copy in (1, 2):
            _picture(root / "strong" / f"200{number}0{copy}.jpg", random)
    return "copydays"
