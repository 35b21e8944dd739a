"""Whole images: as squares or with their aspect ratio, at several scales, of mixed sizes."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import interpolate
from torchvision.transforms import v2

from lowlabel.datasets import ImageSet, LabelledPath
from lowlabel.errors import DataError, InputError, UnknownNameError
from lowlabel.features import (
    Backbone,
    ExtractionOptions,
    FeatureKey,
    extract_features,
    load_backbone,
)
from lowlabel.features import extract as extract_module
from lowlabel.features.extraction import chunks as chunks_module
from lowlabel.features.scales import embed_scales
from lowlabel.features.transforms import ImageTransform, WholeImage

TINY = "random:vit_tiny_patch16_224,img_size=32,patch_size=8,depth=2"
SIZES = [(40, 30), (30, 40), (40, 30), (64, 20), (33, 33), (40, 30), (30, 40), (9, 50)]


def picture(width: int, height: int, seed: int = 0) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 256, (height // 3 + 1, width // 3 + 1, 3))
    return Image.fromarray(noise.astype(np.uint8)).resize((width, height), Image.Resampling.BICUBIC)


@pytest.fixture
def images(tmp_path: Path) -> ImageSet:
    listing = []
    for number, size in enumerate(SIZES):
        picture(*size, number).save(tmp_path / f"{number}.png")
        listing.append(LabelledPath(f"{number}.png", "place"))
    return ImageSet.from_listing("sizes", "gallery", tmp_path, listing)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((400, 300), (120, 90)), ((300, 400), (90, 120)), ((120, 7), (120, 7)), ((60, 50), (60, 50))],
)
def test_the_longest_side_is_limited_and_nothing_enlarged(tmp_path, size, expected):
    picture(*size).save(tmp_path / "a.png")
    read = WholeImage(120, keep_aspect=True, interpolation="lanczos").read(tmp_path / "a.png")
    resized = picture(*size).resize(expected, Image.Resampling.LANCZOS)
    difference = read.astype(int) - np.asarray(resized).astype(int)
    assert read.shape == (expected[1], expected[0], 3)
    assert np.abs(difference).max() <= 12  # Pillow shrinks by whole factors before it resamples
    assert np.abs(difference).mean() < 1


def test_squares_equal_torchvision(tmp_path):
    picture(50, 30).save(tmp_path / "a.png")
    read = WholeImage(32, keep_aspect=False).read(tmp_path / "a.png")
    reference = v2.Resize((32, 32), v2.InterpolationMode.BICUBIC)(picture(50, 30))
    np.testing.assert_array_equal(read, np.asarray(reference))


@pytest.mark.parametrize(
    "transform",
    [ImageTransform(20, 16), WholeImage(20, keep_aspect=False), WholeImage(99, keep_aspect=True)],
)
def test_a_box_is_cropped_before_anything_else(tmp_path, transform):
    picture(60, 40).save(tmp_path / "a.png")
    picture(60, 40).crop((10, 5, 50, 38)).save(tmp_path / "b.png")
    boxed = transform.read(tmp_path / "a.png", (9.6, 5.4, 50.2, 37.9))
    np.testing.assert_array_equal(boxed, transform.read(tmp_path / "b.png"))


def test_a_box_is_resized_as_much_as_its_whole_image_would_be(tmp_path):
    picture(400, 200).save(tmp_path / "a.png")
    read = WholeImage(100, keep_aspect=True).read(tmp_path / "a.png", (0, 0, 200, 100))
    assert read.shape == (25, 50, 3)


@pytest.mark.parametrize(
    "box", [(-9, 0, 8, 9), (53, 0, 70, 9), (0, 39, 9, 60), (70, 0, 80, 9), (9, 9, 9, 12)]
)
@pytest.mark.parametrize("transform", [ImageTransform(20, 16), WholeImage(20, True)])
def test_a_box_outside_the_image_stops_the_run(tmp_path, box, transform):
    picture(60, 40).save(tmp_path / "a.png")
    listing = [LabelledPath("a.png", "place", box)]
    images = ImageSet.from_listing("boxes", "query", tmp_path, listing)
    backbone = dataclasses.replace(load_backbone("pixels"), transform=transform)
    with pytest.raises(DataError, match=r"is not inside .*a\.png, which has 60×40 pixels"):
        extract_features(backbone, images, ExtractionOptions(skip_bad_images=True))


def test_scales_are_averaged_and_normalised_image_by_image():
    batch = torch.rand(5, 3, 48, 40, generator=torch.manual_seed(0))
    scales = (1.0, 2**-0.5, 0.5)

    def embed(images: torch.Tensor) -> torch.Tensor:
        assert images.shape[2] % 8 == images.shape[3] % 8 == 0
        return images.mean(dim=(2, 3)) * torch.tensor([1.0, 10.0, 100.0])

    expected = []
    for image in batch:
        total = torch.zeros(3)
        for scale in scales:
            seen = image[None]
            if scale != 1:
                seen = interpolate(seen, scale_factor=scale, mode="bilinear", align_corners=False)
            height, width = (side // 8 * 8 for side in seen.shape[2:])
            total += embed(seen[..., :height, :width])[0] / 3
        expected.append(total / total.norm())
    torch.testing.assert_close(embed_scales(batch, scales, 8, embed), torch.stack(expected))


def test_an_image_narrower_than_a_patch_is_stretched_to_one():
    seen = []
    embed_scales(torch.rand(2, 3, 5, 30), (1.0,), 8, lambda x: seen.append(x.shape) or x.mean(1))
    assert seen == [(2, 3, 8, 24)]


def test_a_vit_of_any_size_equals_the_fixed_one_at_its_size():
    fixed, free = load_backbone(TINY), load_backbone(TINY, framing="longest")
    assert fixed.weights_sha256 == free.weights_sha256
    pixels = torch.randint(0, 256, (3, 32, 32, 3), dtype=torch.uint8)
    torch.testing.assert_close(free.embed(pixels), fixed.embed(pixels))
    broad = torch.randint(0, 256, (2, 27, 51, 3), dtype=torch.uint8)
    assert free.embed(broad).shape == (2, 192)
    torch.testing.assert_close(free.embed(broad), free.embed(broad[:, :24, :48]))


@pytest.mark.slow
@pytest.mark.parametrize("spec", ["random:resnet18", TINY])
@pytest.mark.parametrize("scales", [(1.0,), (1.0, 2**-0.5, 0.5)])
@pytest.mark.parametrize(("batch_size", "waiting"), [(2, 1), (3, 4), (32, 4)])
def test_sets_of_many_sizes_equal_one_by_one(
    images, monkeypatch, spec, scales, batch_size, waiting
):
    monkeypatch.setattr(extract_module, "CHUNK_ROWS", 5)
    monkeypatch.setattr(chunks_module, "MAX_WAITING", waiting)
    backbone = load_backbone(spec, framing="longest", resolution=36, scales=scales)
    (images.root / images.paths[3]).write_bytes(b"no image")
    options = ExtractionOptions(batch_size, 2, skip_bad_images=True)
    seen = []
    table = extract_features(backbone, images, options, lambda *counts: seen.append(counts))
    good = [path for path in images.paths if path != images.paths[3]]
    alone = torch.cat(
        [
            backbone.embed(torch.tensor(backbone.transform.read(images.root / path))[None])
            for path in good
        ]
    )
    np.testing.assert_allclose(table.features, alone.numpy(), rtol=1e-3, atol=1e-4)
    assert table.bad_images == (images.paths[3],)
    assert seen[-1] == (8, 8)
    if len(scales) > 1:
        np.testing.assert_allclose(np.linalg.norm(table.features, axis=1), 1, rtol=1e-5)


def test_few_images_wait_for_others_of_their_size(images, monkeypatch):
    monkeypatch.setattr(chunks_module, "MAX_WAITING", 2)
    backbone = load_backbone("random:resnet18", framing="longest", resolution=36)
    embedded: list[int] = []
    embed = Backbone.embed

    def noting(self, pixels):
        embedded.append(len(pixels))
        return embed(self, pixels)

    monkeypatch.setattr(Backbone, "embed", noting)
    extract_features(backbone, images, ExtractionOptions(2, 1))
    assert sum(embedded) - 1 == len(SIZES)  # and one blank
    assert max(embedded) == 2


def test_every_option_is_in_the_key(images):
    options = [
        {},
        {"framing": "square"},
        {"framing": "longest"},
        {"framing": "longest", "resolution": 24},
        {"framing": "longest", "scales": (1.0, 0.5)},
    ]
    keys = [FeatureKey.of(load_backbone(TINY, **option), images) for option in options]
    assert len({key.digest for key in keys}) == len(options)
    listing = [LabelledPath(path, "place", (0, 0, 5, 5)) for path in images.paths]
    boxed = ImageSet.from_listing(images.dataset, images.part, images.root, listing)
    assert FeatureKey.of(load_backbone(TINY), boxed).digest != keys[0].digest


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"framing": "round"}, UnknownNameError, "unknown framing 'round'"),
        ({"scales": (1.0, 0.5)}, InputError, "need whole images, not framing=crop"),
        ({"framing": "longest", "scales": ()}, InputError, "one or more factors"),
        ({"framing": "longest", "scales": (0.0,)}, InputError, "one or more factors"),
    ],
)
def test_impossible_options_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        load_backbone(TINY, **options)


def test_raw_pixels_of_whole_images_are_averaged_to_a_square(images):
    backbone = load_backbone("pixels", framing="longest", resolution=48)
    table = extract_features(backbone, images)
    assert table.features.shape == (len(SIZES), 3 * 32 * 32)
    for row, path in enumerate(images.paths):
        pixels = torch.tensor(backbone.transform.read(images.root / path))[None]
        normalised = backbone.transform.normalise(pixels, torch.float32)
        expected = torch.nn.functional.adaptive_avg_pool2d(normalised, 32).numpy().ravel()
        np.testing.assert_allclose(table.features[row], expected, rtol=1e-4, atol=1e-5)
