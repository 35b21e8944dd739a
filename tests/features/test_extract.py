"""Extraction equals a plain loop, and stored features are not computed again."""

import dataclasses
import errno
import os

import numpy as np
import pytest
import torch
from PIL import Image

from lowlabel.datasets import open_dataset
from lowlabel.errors import DataError, InputError
from lowlabel.features import (
    Backbone,
    ExtractionOptions,
    extract_features,
)
from lowlabel.features.transforms import ImageTransform

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


def test_names_that_are_no_utf_8_are_kept(backbone, image_folder):
    novel = image_folder / "novel"
    (novel / "novel0").rename(novel / "caf\udce9")
    (novel / "novel1/0.png").unlink()
    (novel / "novel1/\udce8.png").write_bytes(b"no image")
    images = open_dataset(f"folder:{image_folder}").load("novel")
    table = extract_features(backbone, images, ExtractionOptions(skip_bad_images=True))
    assert images.class_names[0] == "caf\udce9"
    assert table.bad_images == ("novel/novel1/\udce8.png",)
    assert len(table.features) == 17


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
    assert set(read) == {images.paths[1], images.paths[9]}  # the others were kept
    assert table.bad_images == (images.paths[1], images.paths[9])
    assert table.features.shape == (16, 48)
    np.testing.assert_array_equal(table.labels, np.delete(images.labels, [1, 9]))
    with pytest.raises(DataError, match="2 of 18 images"):
        extract_features(backbone, images)


def failing_reads(monkeypatch, name, error, times):
    """Makes the next `times` readings of an image fail with `error`."""
    read, left = ImageTransform.read, [times]

    def reading(self, path, box=None):
        if path.name == name and left[0]:
            left[0] -= 1
            raise error
        return read(self, path, box)

    monkeypatch.setattr(ImageTransform, "read", reading)


@pytest.mark.parametrize("skip", [True, False])
@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.EMFILE, errno.ENOMEM])
def test_a_passing_error_is_no_damage(backbone, images, monkeypatch, skip, number):
    options = ExtractionOptions(workers=1, skip_bad_images=skip)
    error = OSError(number, os.strerror(number))
    failing_reads(monkeypatch, "3.png", error, times=1)
    with pytest.raises(DataError, match=r"3\.png cannot be read: "):
        extract_features(backbone, images, options)
    table = extract_features(backbone, images, options)
    assert (len(table.features), table.bad_images) == (18, ())


@pytest.mark.parametrize("skip", [True, False])
def test_an_image_that_a_better_reader_decodes_is_bad_no_more(backbone, images, monkeypatch, skip):
    undecodable = SyntaxError("no plugin for this format")
    with monkeypatch.context() as patch:
        failing_reads(patch, "3.png", undecodable, times=99)
        with pytest.raises(DataError, match="3 of 18 images"):
            extract_features(backbone, images)
    table = extract_features(backbone, images, ExtractionOptions(skip_bad_images=skip))
    assert (len(table.features), table.bad_images) == (18, ())


def test_a_mended_file_of_the_same_size_is_bad_no_more(backbone, images):
    path = images.root / images.paths[3]
    whole = path.read_bytes()
    path.write_bytes(bytes(len(whole)))
    images = dataclasses.replace(images)
    with pytest.raises(DataError, match="1 of 18 images"):
        extract_features(backbone, images)
    path.write_bytes(whole)
    images = dataclasses.replace(images)
    assert extract_features(backbone, images).features.shape == (18, 48)


def test_an_image_that_changes_during_extraction_stops_it(backbone, images, monkeypatch):
    path = images.root / images.paths[9]
    whole, read = path.read_bytes(), ImageTransform.read

    def reading(self, file, box=None):
        if file == path:
            path.write_bytes((images.root / images.paths[0]).read_bytes())
        return read(self, file, box)

    with monkeypatch.context() as patch, pytest.raises(DataError, match="changed while"):
        patch.setattr(ImageTransform, "read", reading)
        extract_features(backbone, images)
    path.write_bytes(whole)
    images = dataclasses.replace(images)
    expected = backbone.embed(torch.from_numpy(backbone.transform.read(path)[None].copy()))
    np.testing.assert_allclose(extract_features(backbone, images).features[9:10], expected)


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


def test_bad_images_are_listed_with_their_reasons(tmp_path, backbone):
    folder = tmp_path / "scans" / "a"
    folder.mkdir(parents=True)
    Image.fromarray(np.zeros((8, 8), np.float32)).save(folder / "good.tif")
    Image.fromarray(np.full((8, 8), 3e4, np.float32)).save(folder / "high.tif")
    (folder / "bad.tif").write_bytes(b"no image")
    images = open_dataset(f"folder:{tmp_path / 'scans'}").load("all")
    with pytest.raises(DataError) as caught:
        extract_features(backbone, images)
    assert caught.value.message.splitlines()[1:] == [
        "  a/bad.tif: its content is no image of a format that is read",
        "  a/high.tif: an image of mode F (TIFF) with values from 30000 to 30000, outside 0 to 255",
    ]
    table = extract_features(backbone, images, ExtractionOptions(skip_bad_images=True))
    assert table.bad_images == ("a/bad.tif", "a/high.tif")
