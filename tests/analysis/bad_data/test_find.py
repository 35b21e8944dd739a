"""Injected flaws among drawings of the demo, by `demo_vit`."""

import shutil

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from lowlabel.analysis.bad_data.find import beyond, find_bad_data
from lowlabel.analysis.bad_data.pool import Pool
from lowlabel.datasets import ImageSet, LabelledPath, open_dataset
from lowlabel.datasets.demo.classes import demo_classes
from lowlabel.datasets.demo.render import demo_image
from lowlabel.errors import InputError
from lowlabel.features import extract_features, load_backbone


@pytest.fixture(scope="module")
def drawings(tmp_path_factory):
    """Twenty novel classes of 20 images, with 11 blank and 11 noise images among them."""
    root = tmp_path_factory.mktemp("drawings")
    random = np.random.default_rng(0)
    kinds = [kind for kind in demo_classes() if kind.part == "novel"]
    for place, kind in enumerate(kinds):
        folder = root / kind.name
        folder.mkdir()
        for number in range(20):
            Image.fromarray(demo_image(kind, number)).save(folder / f"{number:03d}.png")
        if place < 11:
            Image.new("RGB", (64, 64), (120, 130, 140)).save(folder / "blank.png")
            noise = random.integers(0, 256, (64, 64, 3), dtype=np.uint8)
            Image.fromarray(noise).save(folder / "noise.png")
    return root


def pool_of(folder):
    """The images of a folder by `demo_vit`."""
    images = open_dataset(f"folder:{folder}").load("all")
    backbone = load_backbone("demo_vit", device="cpu")
    return Pool.of([(images, extract_features(backbone, images))])


@pytest.fixture(scope="module")
def found(drawings, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOWLABEL_HOME", str(tmp_path_factory.mktemp("home")))
        pool = pool_of(drawings)
    return find_bad_data(pool, device="cpu")


@pytest.mark.slow
def test_the_combined_score_tells_blank_and_noise_images_from_others(found):
    bad = found.scores["path"].str.contains("blank|noise")
    assert bad.sum() == 22
    assert roc_auc_score(bad, found.scores["combined"]) >= 0.95
    nearest = 1 - found.others.cosines.mean(axis=1)
    assert roc_auc_score(bad, nearest) < 0.5  # they are each other's neighbours


def test_blank_images_are_flagged_for_several_reasons(found):
    blank = found.flags[found.flags["path"].str.endswith("blank.png")]
    counts = blank["reason"].value_counts()
    assert counts["low-information"] == 11
    copies = blank[blank["reason"] == "exact-duplicate"]
    assert len(copies) == 10
    (kept,) = copies["other_path"].unique()
    assert kept not in set(copies["path"])
    assert (copies["class"] != copies["other_class"]).all()
    assert found.notes == ()


def test_flags_of_one_reason_come_worst_first(found):
    for _, flags in found.flags.groupby("reason"):
        assert flags["score"].is_monotonic_decreasing


def parts(root, names):
    """Image sets of parts, each a list of paths below `root`, by their pixels."""
    backbone = load_backbone("pixels", resolution=8, device="cpu")
    tables = []
    for part, paths in names.items():
        listing = [LabelledPath(path, path.split("/")[0]) for path in paths]
        images = ImageSet.from_listing("d:d", part, root, listing)
        tables.append((images, extract_features(backbone, images)))
    return Pool.of(tables)


def test_copies_across_parts_are_told_from_copies_within(tmp_path):
    random = np.random.default_rng(0)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        for number in range(6):
            pixels = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / folder / f"{number}.png")
    shutil.copy(tmp_path / "a/0.png", tmp_path / "b/0.png")
    shutil.copy(tmp_path / "a/1.png", tmp_path / "a/2.png")
    Image.open(tmp_path / "a/3.png").save(tmp_path / "b/3.bmp")
    pool = parts(
        tmp_path,
        {
            "test": [f"a/{n}.png" for n in range(6)],
            "train": [*(f"b/{n}.png" for n in range(6)), "b/3.bmp"],
        },
    )
    found = find_bad_data(pool, device="cpu")
    duplicates = found.flags[found.flags["reason"].str.contains("duplicate")]
    rows = duplicates[["path", "part", "reason", "other_path", "other_part"]].to_numpy().tolist()
    assert sorted(rows) == [
        ["a/2.png", "test", "exact-duplicate", "a/1.png", "test"],
        ["b/0.png", "train", "exact-duplicate-across", "a/0.png", "test"],
        ["b/3.bmp", "train", "near-duplicate-across", "a/3.png", "test"],
    ]
    unit = pool.features / np.linalg.norm(pool.features, axis=1, keepdims=True)
    for row, others in enumerate(found.within):
        same = pool.part_numbers == pool.part_numbers[row]
        same[row] = False
        assert set(others) == set(np.flatnonzero(same))
        assert (np.diff((unit @ unit[row])[others]) <= 1e-6).all()


def test_tiny_parts_are_said_and_one_image_is_refused(tmp_path):
    for number, name in enumerate(("a/0.png", "a/1.png", "b/0.png")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((8, 8, 3), 9 * number + 9, np.uint8)).save(tmp_path / name)
    found = find_bad_data(
        parts(tmp_path, {"test": ["a/0.png", "a/1.png"], "train": ["b/0.png"]}), device="cpu"
    )
    assert [others.tolist() for others in found.within] == [[1], [0], []]
    assert found.notes == (
        "outliers of train: it has 1 image",
        "label errors of test: it has 1 class",
        "label errors of train: it has 1 class",
    )
    with pytest.raises(InputError, match="1 readable image"):
        find_bad_data(parts(tmp_path, {"test": ["a/0.png"]}), device="cpu")


def test_the_scale_of_scores_is_0_at_the_median_and_1_at_the_threshold():
    values = np.array([1.0, 2, 3, 5, 9])
    assert beyond(values, 5, values >= 5).tolist() == [0, 0, 0, 1, 3]
    equal = np.ones(3)
    assert beyond(equal, 1, equal >= 1).tolist() == [1, 1, 1]
