"""Small trees in the layouts that torchvision downloads; each has three images of each class."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

PARTS3, PARTS2 = ("train", "val", "test"), ("train", "test")
_random = np.random.default_rng(0)


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(_random.integers(0, 256, (9, 8, 3), dtype=np.uint8)).save(path)


def text(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def caltech101(place: Path, _: pytest.MonkeyPatch) -> None:
    for name in ("BACKGROUND_Google", "accordion", "yin_yang"):
        for number in range(1, 4):
            picture(place / f"caltech101/101_ObjectCategories/{name}/image_{number:04d}.jpg")


def country211(place: Path, _: pytest.MonkeyPatch) -> None:
    for split in ("train", "valid", "test"):
        for name in ("AD", "ZW"):
            for number in range(3):
                picture(place / f"country211/{split}/{name}/{split}{number}.jpg")


def dtd(place: Path, _: pytest.MonkeyPatch) -> None:
    for part in PARTS3:
        names = [f"{c}/{c}_{part}{n}.jpg" for c in ("banded", "zigzagged") for n in range(3)]
        for name in names:
            picture(place / "dtd/dtd/images" / name)
        text(place / f"dtd/dtd/labels/{part}1.txt", "\n".join(names))
        text(place / f"dtd/dtd/labels/{part}2.txt", "")


def eurosat(place: Path, _: pytest.MonkeyPatch) -> None:
    for name in ("AnnualCrop", "SeaLake"):
        for number in range(1, 11):
            picture(place / f"eurosat/2750/{name}/{name}_{number}.jpg")


def fgvc_aircraft(place: Path, _: pytest.MonkeyPatch) -> None:
    data = place / "fgvc-aircraft-2013b/data"
    text(data / "variants.txt", "707-320\nF/A-18 x\n")
    for row, part in enumerate(PARTS3):
        ids = [f"{1000 * row + number:07d}" for number in range(6)]
        lines = [f"{each} {['707-320', 'F/A-18 x'][n % 2]}" for n, each in enumerate(ids)]
        text(data / f"images_variant_{part}.txt", "\n".join(lines) + "\n")
        for each in ids:
            picture(data / f"images/{each}.jpg")


def flowers102(place: Path, patch: pytest.MonkeyPatch) -> None:
    from torchvision.datasets import Flowers102

    folder = place / "flowers-102"
    for number in range(1, 19):
        picture(folder / f"jpg/image_{number:05d}.jpg")
    labels = np.resize([1, 102], 18)
    savemat(folder / "imagelabels.mat", {"labels": labels})
    rows = np.arange(1, 19).reshape(3, 6)
    savemat(folder / "setid.mat", {"trnid": rows[0], "valid": rows[1], "tstid": rows[2]})
    named = {"label": "imagelabels.mat", "setid": "setid.mat"}
    files = {key: (name, _md5(folder / name)) for key, name in named.items()}
    patch.setattr(Flowers102, "_file_dict", files)


def food101(place: Path, _: pytest.MonkeyPatch) -> None:
    for part in PARTS2:
        names = {c: [f"{c}/{part}{n}" for n in range(3)] for c in ("waffles", "apple_pie")}
        text(place / f"food-101/meta/{part}.json", json.dumps(names))
        for name in (name for of_class in names.values() for name in of_class):
            picture(place / f"food-101/images/{name}.jpg")


def gtsrb(place: Path, _: pytest.MonkeyPatch) -> None:
    folder = place / "gtsrb"
    for label in range(2):
        for number in range(3):
            picture(folder / f"GTSRB/Training/{label:05d}/00000_{number:05d}.ppm")
    lines = ["Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId"]
    for number in range(6):
        picture(folder / f"GTSRB/Final_Test/Images/{number:05d}.ppm")
        lines.append(f"{number:05d}.ppm;8;9;0;0;8;9;{number % 2}")
    text(folder / "GT-final_test.csv", "\n".join(lines) + "\n")


def oxford_iiit_pet(place: Path, _: pytest.MonkeyPatch) -> None:
    folder = place / "oxford-iiit-pet"
    for part in ("trainval", "test"):
        lines = []
        for row, name in enumerate(("Abyssinian", "american_bulldog")):
            for number in range(3):
                picture(folder / f"images/{name}_{part}{number}.jpg")
                lines.append(f"{name}_{part}{number} {row + 1} {row + 1} 1")
        text(folder / f"annotations/{part}.txt", "\n".join(lines) + "\n")


def stl10(place: Path, patch: pytest.MonkeyPatch) -> None:
    from torchvision.datasets import STL10

    folder = place / "stl10_binary"
    text(folder / "class_names.txt", "airplane\nbird\n")
    for part in PARTS2:
        _random.integers(0, 256, (6, 3, 96, 96), dtype=np.uint8).tofile(folder / f"{part}_X.bin")
        np.resize([1, 2], 6).astype(np.uint8).tofile(folder / f"{part}_y.bin")
    (folder / "unlabeled_X.bin").write_bytes(b"")
    names = {"train_list": ("train_X", "train_y", "unlabeled_X"), "test_list": ("test_X", "test_y")}
    for attribute, files in names.items():
        listed = [[f"{name}.bin", _md5(folder / f"{name}.bin")] for name in files]
        patch.setattr(STL10, attribute, listed)


def svhn(place: Path, patch: pytest.MonkeyPatch) -> None:
    from torchvision.datasets import SVHN

    place.mkdir(parents=True, exist_ok=True)
    known = {}
    for part in PARTS2:
        images = _random.integers(0, 256, (32, 32, 3, 6), dtype=np.uint8)
        labels = np.resize([10, 1], (6, 1)).astype(np.uint8)  # 10 is the digit 0
        name = f"{part}_32x32.mat"
        savemat(place / name, {"X": images, "y": labels})
        known[part] = [f"http://nowhere/{name}", name, _md5(place / name)]
    patch.setattr(SVHN, "split_list", known)


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


TREES = {
    "Caltech101": caltech101, "Country211": country211, "DTD": dtd, "EuroSAT": eurosat,
    "FGVCAircraft": fgvc_aircraft, "Flowers102": flowers102, "Food101": food101, "GTSRB": gtsrb,
    "OxfordIIITPet": oxford_iiit_pet, "STL10": stl10, "SVHN": svhn,
}  # fmt: skip


@pytest.fixture
def grow(monkeypatch):
    """Writes the tree of a dataset where torchvision would."""

    def write(name: str, place: Path) -> Path:
        TREES[name](place, monkeypatch)
        return place

    return write


@pytest.fixture(params=sorted(TREES))
def name(request) -> str:
    return request.param
