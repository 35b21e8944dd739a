"""The few-shot data sets on small trees in their true layouts, and their lists."""

import csv
import io
import pickle
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torchvision.datasets import Omniglot

from lowlabel.datasets import DATASETS, open_dataset, prepare, prepared_folder
from lowlabel.datasets.counts import load_part
from lowlabel.datasets.split_lists import split_list
from lowlabel.errors import DataError

PARTS = {"base": "train", "val": "val", "novel": "test"}
PIXELS = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)


def write_image(path: Path, pixels: np.ndarray = PIXELS) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def zipped(folder: Path, archive: Path) -> Path:
    with zipfile.ZipFile(archive, "w") as opened:
        for path in sorted(folder.rglob("*")):
            opened.write(path, path.relative_to(folder.parent))
    return archive


def loaded(name: str, part: str):
    return open_dataset(name, allow_partial=True).load(part)


@pytest.fixture(scope="session")
def lists(real_data) -> Path:
    folder = real_data.parent / "lists"
    if not folder.is_dir():
        pytest.skip(f"there are no published lists in {folder}")
    return folder


@pytest.fixture
def imagenet(tmp_path: Path) -> Path:
    """A training folder with the first two images of three classes a part, and some others."""
    root = tmp_path / "ILSVRC2012" / "train"
    for part in PARTS:
        for row in [r for r in split_list("mini_imagenet") if r["part"] == part][-3:]:
            for number in [*row["images"].split()[:2], "99999999"]:
                write_image(root / row["wnid"] / f"{row['wnid']}_{number}.JPEG")
        for row in [r for r in split_list("tiered_imagenet") if r["part"] == part][:3]:
            write_image(root / row["wnid"] / f"{row['wnid']}_7.JPEG")
    write_image(root / "n01930112" / "n01930112_99999998.JPEG")
    write_image(root / "n03314780" / "n03314780_1.JPEG")
    return root


def test_mini_imagenet_from_the_imagenet_folder(imagenet):
    prepare(DATASETS["mini-imagenet"], imagenet, allow_partial=True)
    assert (prepared_folder(DATASETS["mini-imagenet"]) / "train").is_symlink()
    listed = {row["wnid"]: row for row in split_list("mini_imagenet")}
    for part in PARTS:
        images = loaded("mini-imagenet", part)
        assert images.counts == (6, 3)
        for path in images.paths:
            wnid, number = Path(path).stem.split("_")
            assert listed[wnid]["part"] == part
            assert number in listed[wnid]["images"].split()[:2]
        assert len(images.manifest_sha256) == 64


def test_tiered_imagenet_from_the_imagenet_folder(imagenet):
    prepare(DATASETS["tiered-imagenet"], imagenet.parent, allow_partial=True)
    listed = {row["wnid"]: row["part"] for row in split_list("tiered_imagenet")}
    found = {
        part: sorted(path.name for path in imagenet.iterdir() if listed.get(path.name) == part)
        for part in PARTS
    }
    for part in PARTS:
        images = loaded("tiered-imagenet", part)
        assert list(images.class_names) == found[part]
        assert all(path.endswith(".JPEG") for path in images.paths)


def test_a_linked_folder_is_never_changed(imagenet, tmp_path):
    before = sorted(tmp_path.rglob("*.JPEG"))
    for _ in range(2):  # the second time replaces the first
        prepare(DATASETS["mini-imagenet"], imagenet, allow_partial=True)
    with pytest.raises(DataError, match="found 6 images of 3 classes, the full set has 38,400"):
        prepare(DATASETS["mini-imagenet"], imagenet)
    assert sorted(path for path in tmp_path.rglob("*.JPEG") if "home" not in path.parts) == before


@pytest.mark.parametrize("whole", [True, False])
def test_mini_imagenet_of_84_pixels(tmp_path, whole):
    root = tmp_path / "mini-imagenet"
    for number, (part, name) in enumerate(PARTS.items()):
        rows = [f"n0000000{number}{k:08d}.jpg,n0000000{number}" for k in range(1, 4)]
        (root / "images").mkdir(parents=True, exist_ok=True)
        (root / f"{name}.csv").write_text("\n".join(["filename,label", *rows]) + "\n")
        for row in rows[: None if whole or part != "val" else 2]:
            write_image(root / "images" / row.split(",")[0])
    prepare(DATASETS["mini-imagenet"], zipped(root, tmp_path / "mini.zip"), allow_partial=True)
    assert loaded("mini-imagenet", "novel").class_names == ("n00000002",)
    assert loaded("mini-imagenet", "novel").paths[0] == "images/n0000000200000001.jpg"
    assert loaded("mini-imagenet", "val").counts == (3 if whole else 2, 1)


def test_mini_imagenet_refuses_other_lists(tmp_path):
    write_image(tmp_path / "m" / "images" / "a.jpg")
    for name in PARTS.values():
        (tmp_path / "m" / f"{name}.csv").write_text("name,class\na.jpg,b\n")
    dataset = DATASETS["mini-imagenet"]
    with pytest.raises(DataError, match=r"test\.csv is no list of mini-ImageNet"):
        load_part(dataset, dataset.division("ravi"), tmp_path / "m", "novel")


def png(pixels: np.ndarray) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return np.frombuffer(file.getvalue(), np.uint8)[:, None]


@pytest.fixture(params=["png", "npz"])
def tiered_arrays(request, tmp_path: Path) -> Path:
    """The published files: PNG bytes in pickles, or arrays that OpenCV decoded (BGR)."""
    root = tmp_path / "tiered-imagenet"
    root.mkdir()
    random = np.random.default_rng(1)
    for name in PARTS.values():
        images = random.integers(0, 256, (5, 84, 84, 3), np.uint8)
        images[0, :8, :8] = PIXELS
        labels = {
            "label_specific": np.array([0, 0, 1, 1, 2], np.int32),
            "label_specific_str": ["crane", "crane", f"{name} fish, Carassius"],
            "label_general": np.zeros(5, np.int32),
            "label_general_str": ["thing"],
        }
        (root / f"{name}_labels.pkl").write_bytes(pickle.dumps(labels, 2))
        if request.param == "png":
            content = pickle.dumps([png(image) for image in images], 2)
            (root / f"{name}_images_png.pkl").write_bytes(content)
        else:
            np.savez(root / f"{name}_images.npz", images=images[..., ::-1])
    return root


@pytest.mark.parametrize("as_folder", [True, False])
def test_tiered_imagenet_from_published_arrays(tiered_arrays, tmp_path, as_folder):
    before = sorted(path.name for path in tiered_arrays.iterdir())
    archive = tiered_arrays if as_folder else zipped(tiered_arrays, tmp_path / "tiered.zip")
    prepare(DATASETS["tiered-imagenet"], archive, allow_partial=True)
    novel = loaded("tiered-imagenet", "novel")
    assert novel.class_names == ("000 crane", "001 crane", "002 test fish_ Carassius")
    assert novel.labels.tolist() == [0, 0, 1, 1, 2]
    pixels = np.asarray(Image.open(novel.root / novel.paths[0]))
    assert np.array_equal(pixels[:8, :8], PIXELS)
    assert sorted(path.name for path in tiered_arrays.iterdir()) == before
    left = {path.name for path in prepared_folder(DATASETS["tiered-imagenet"]).iterdir()}
    assert left == {"lowlabel.json", "tiered-imagenet-images"}


def test_tiered_imagenet_refuses_labels_of_another_kind(tiered_arrays):
    (tiered_arrays / "train_labels.pkl").write_bytes(pickle.dumps({"labels": [1]}))
    with pytest.raises(DataError, match=r"train_labels\.pkl lacks label_specific"):
        prepare(DATASETS["tiered-imagenet"], tiered_arrays, allow_partial=True)
    assert not prepared_folder(DATASETS["tiered-imagenet"]).exists()


def test_fc100_from_published_pickles(tmp_path):
    root = tmp_path / "FC100"
    root.mkdir()
    images = np.random.default_rng(2).integers(0, 256, (4, 32, 32, 3), np.uint8)
    for number, name in enumerate(PARTS.values()):
        content = {"data": images, "labels": [number, number, 90 + number, 90 + number]}
        (root / f"FC100_{name}.pickle").write_bytes(pickle.dumps(content, 2))
    prepare(DATASETS["fc100"], zipped(root, tmp_path / "FC100.zip"), allow_partial=True)
    assert loaded("fc100", "base").class_names == ("000 00", "090 90")
    novel = loaded("fc100", "novel")
    assert novel.class_names == ("002 02", "092 92")
    pixels = [np.asarray(Image.open(novel.root / path)) for path in novel.paths]
    assert np.array_equal(np.stack(pixels), images)
    (root / "FC100_val.pickle").write_bytes(pickle.dumps({"data": images[0], "labels": [1]}))
    with pytest.raises(DataError, match=r"holds \(32, 32, 3\), not \[N, H, W, 3\]"):
        prepare(DATASETS["fc100"], root, allow_partial=True)


def test_fc100_from_class_folders(tmp_path):
    for number, name in enumerate(PARTS.values()):
        for k in range(2):
            write_image(tmp_path / "FC100" / name / f"class{number}" / f"{k}.png")
    prepare(DATASETS["fc100"], tmp_path / "FC100", allow_partial=True)
    assert loaded("fc100", "val").class_names == ("class1",)


@pytest.fixture
def omniglot_tree(tmp_path: Path) -> Path:
    """torchvision's layout, with drawings of one channel."""
    root = tmp_path / "omniglot-py"
    for name, alphabets in (
        ("images_background", ("Greek", "Japanese_(hiragana)")),
        ("images_evaluation", ("Angelic", "Greek")),
    ):
        for alphabet in alphabets:
            for character in ("character01", "character02"):
                for k in range(3):
                    path = root / name / alphabet / character / f"0001_{k:02d}.png"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    Image.fromarray(PIXELS[..., 0] > 128).save(path)
    return root


@pytest.mark.parametrize("part", ["base", "novel"])
def test_omniglot_is_what_torchvision_reads(omniglot_tree, monkeypatch, part):
    prepare(DATASETS["omniglot"], omniglot_tree, allow_partial=True)
    images = loaded("omniglot", part)
    monkeypatch.setattr(Omniglot, "_check_integrity", lambda self: True)
    peer = Omniglot(omniglot_tree.parent, background=part == "base")
    assert sorted(images.class_names) == sorted(peer._characters)
    theirs = {(peer._characters[label], name) for name, label in peer._flat_character_images}
    ours = {
        (images.class_names[label], Path(path).name)
        for path, label in zip(images.paths, images.labels, strict=True)
    }
    assert ours == theirs
    assert len(images) == len(peer) == 12


def test_omniglot_from_its_two_archives(omniglot_tree, tmp_path):
    repository = tmp_path / "omniglot-master" / "python"
    repository.mkdir(parents=True)
    for name in ("images_background", "images_evaluation"):
        zipped(omniglot_tree / name, repository / f"{name}.zip")
    archive = zipped(repository.parent, tmp_path / "omniglot-master.zip")
    prepare(DATASETS["omniglot"], archive, allow_partial=True)
    assert loaded("omniglot", "novel").counts == (12, 4)
    assert loaded("omniglot", "novel").class_names[0] == "Angelic/character01"


def test_grey_images_get_three_channels(omniglot_tree):
    from lowlabel.features.transforms import ImageTransform

    path = next(omniglot_tree.rglob("*.png"))
    pixels = ImageTransform(resize=8, crop=8).read(path)
    assert pixels.shape == (8, 8, 3)
    assert np.array_equal(pixels[..., 0], np.where(PIXELS[..., 0] > 128, 255, 0))
    assert (pixels == pixels[..., :1]).all()


def test_mini_imagenet_lists_are_the_published_ones(lists):
    for part, name in PARTS.items():
        with (lists / "mini_imagenet" / f"imagenet_names_{name}.csv").open() as file:
            published = {(row["class_name"], row["image_name"]) for row in csv.DictReader(file)}
        ours = {
            (row["wnid"], f"{row['wnid']}_{number}.JPEG")
            for row in split_list("mini_imagenet")
            if row["part"] == part
            for number in row["images"].split()
        }
        assert ours == published
        with (lists / "mini_imagenet" / f"{name}.csv").open() as file:
            small = Counter(row["label"] for row in csv.DictReader(file))
        assert small.keys() == {wnid for wnid, _ in published}
        expected = DATASETS["mini-imagenet"].division("ravi").expected[part]
        assert expected == (len(published), len(small)) == (small.total(), len(small))


def test_tiered_imagenet_lists_are_the_published_ones(lists):
    for part, name in PARTS.items():
        lines = (lists / "tiered_imagenet" / f"{name}.csv").read_text().split()
        ours = [
            f"{row['wnid']},{row['category']}"
            for row in split_list("tiered_imagenet")
            if row["part"] == part
        ]
        assert sorted(ours) == sorted(lines)
        assert DATASETS["tiered-imagenet"].division("ren").expected[part].classes == len(lines)
    assert sum(c.images for c in DATASETS["tiered-imagenet"].division("ren").expected.values()) == (
        779_165
    )


def test_divisions_are_disjoint_and_have_the_published_sizes():
    for name, sizes in {"mini_imagenet": (64, 16, 20), "tiered_imagenet": (351, 97, 160)}.items():
        rows = split_list(name)
        assert len({row["wnid"] for row in rows}) == len(rows) == sum(sizes)
        counts = Counter(row["part"] for row in rows)
        assert tuple(counts[part] for part in PARTS) == sizes
    categories: dict[str, set[str]] = {part: set() for part in PARTS}
    for row in split_list("tiered_imagenet"):
        categories[row["part"]].add(row["category"])
    assert [len(categories[part]) for part in PARTS] == [20, 6, 8]
    assert len(set.union(*categories.values())) == 34
    for row in split_list("mini_imagenet"):
        assert len(set(row["images"].split())) == 600


def test_expected_counts_of_cub_are_those_of_the_published_class_sizes(lists):
    sizes: Counter[int] = Counter()
    for name in PARTS.values():
        with (lists / "cub" / f"feat_{name}.csv").open() as file:
            sizes.update(int(row["label"][:3]) for row in csv.DictReader(file))
    for division in ("feat", "easyfsl"):
        for part, expected in DATASETS["cub"].division(division).expected.items():
            rows = split_list(f"cub_{division}")
            classes = [int(row["class_id"]) for row in rows if row["part"] == part]
            assert expected == (sum(sizes[number] for number in classes), len(classes))
