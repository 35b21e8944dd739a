"""Extraction equals a plain loop, and stored features are not computed again."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from lowlabel.datasets import open_dataset
from lowlabel.errors import DataError, InputError
from lowlabel.features import (
    Backbone,
    ExtractionOptions,
    extract_features,
)

pytestmark = pytest.mark.usefixtures("small_chunks")


@pytest.mark.parametrize(("batch_size", "workers"), [(1, 1), (3, 2), (64, 4)])
def test_features_equal_a_plain_loop(backbone, images, batch_size, workers):
    table = extract_features(backbone, images, ExtractionOptions(batch_size, workers))
    mean, std = np.array(backbone.transform.mean), np.array(backbone.transform.std)
    for row, path in enumerate(images.paths):
        pixels = backbone.transform.read(images.root / path) / 255
        expected = ((pixels - mean) / std).transpose(2, 0, 1).ravel()
        np.testing.assert_allclose(table.features[row], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(table.labels, images.labels)


def test_another_version_of_drawn_images_is_extracted_again(
    backbone, images, monkeypatch, count_reads
):
    first = extract_features(backbone, images)
    read = count_reads(images)
    redrawn = dataclasses.replace(images, version=2)
    assert redrawn.manifest_sha256 == images.manifest_sha256
    assert extract_features(backbone, redrawn).key != first.key
    assert read == list(images.paths)


def test_second_run_reads_the_file_and_no_image(backbone, images, monkeypatch, count_reads):
    first = extract_features(backbone, images)
    read = count_reads(images)
    second = extract_features(backbone, images)
    np.testing.assert_array_equal(first.features, second.features)
    assert (read, first.key) == ([], second.key)


def test_corrupt_images_are_all_listed_and_stop_the_run(backbone, images, monkeypatch, count_reads):
    (images.root / images.paths[1]).write_bytes(b"no image")
    whole = (images.root / images.paths[9]).read_bytes()
    (images.root / images.paths[9]).write_bytes(whole[: len(whole) // 2])
    images = dataclasses.replace(images)
    with pytest.raises(DataError, match="2 of 18 images") as caught:
        extract_features(backbone, images)
    assert images.paths[1] in caught.value.message
    assert images.paths[9] in caught.value.message
    assert "--skip-bad-images" in caught.value.hint

    read = count_reads(images)
    table = extract_features(backbone, images, ExtractionOptions(skip_bad_images=True))
    assert read == []  # what was extracted before was kept
    assert table.bad_images == (images.paths[1], images.paths[9])
    assert table.features.shape == (16, 48)
    np.testing.assert_array_equal(table.labels, np.delete(images.labels, [1, 9]))
    with pytest.raises(DataError, match="2 of 18 images"):
        extract_features(backbone, images)


def test_a_truncated_jpeg_is_a_bad_image(tmp_path, backbone):
    folder = tmp_path / "jpegs" / "a"
    folder.mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "good.jpg")
    (folder / "bad.jpg").write_bytes((folder / "good.jpg").read_bytes()[:-2000])
    images = open_dataset(f"folder:{tmp_path / 'jpegs'}").load("all")
    with pytest.raises(DataError, match=r"1 of 2 images.*\n  a/bad\.jpg"):
        extract_features(backbone, images)


def test_features_that_are_not_finite_are_refused(backbone, images, monkeypatch):
    embed = Backbone.embed
    monkeypatch.setattr(Backbone, "embed", lambda self, pixels: embed(self, pixels) / 0)
    with pytest.raises(
        DataError, match=r"not finite for 4 images, the first is novel/novel0/0\.png"
    ):
        extract_features(backbone, images)


def test_options_are_checked():
    with pytest.raises(InputError, match="batch_size=0 must be at least 1"):
        ExtractionOptions(batch_size=0)


def test_a_16_bit_copy_of_a_set_has_its_features(tmp_path, backbone):
    random = np.random.default_rng(0)
    for row in range(6):
        grey = random.integers(0, 256, (20, 24), np.uint8)
        for name, pixels in (("8", grey), ("16", grey.astype(np.uint16) * 257)):
            folder = tmp_path / name / f"class{row % 2}"
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(folder / f"{row}.png")
    plain, deep = (
        extract_features(backbone, open_dataset(f"folder:{tmp_path / name}").load("all"))
        for name in ("8", "16")
    )
    np.testing.assert_array_equal(plain.features, deep.features)
    assert np.ptp(deep.features) > 1


def test_a_refused_mode_is_listed_with_its_reason_and_damage_without(tmp_path, backbone):
    folder = tmp_path / "scans" / "a"
    folder.mkdir(parents=True)
    Image.fromarray(np.zeros((8, 8), np.float32)).save(folder / "good.tif")
    Image.fromarray(np.full((8, 8), 3e4, np.float32)).save(folder / "high.tif")
    (folder / "bad.tif").write_bytes(b"no image")
    images = open_dataset(f"folder:{tmp_path / 'scans'}").load("all")
    with pytest.raises(DataError) as caught:
        extract_features(backbone, images)
    assert caught.value.message.splitlines()[1:] == [
        "  a/bad.tif",
        "  a/high.tif: an image of mode F (TIFF) with values from 30000 to 30000, outside 0 to 255",
    ]
    table = extract_features(backbone, images, ExtractionOptions(skip_bad_images=True))
    assert table.bad_images == ("a/bad.tif", "a/high.tif")
