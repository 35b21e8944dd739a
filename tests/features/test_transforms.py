import dataclasses
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from timm.data import create_transform, resolve_data_config
from timm.models import PretrainedCfg
from torchvision.transforms import InterpolationMode, v2

from lowlabel.datasets.io.boxed import open_image
from lowlabel.errors import DataError, UserError
from lowlabel.features import load_backbone
from lowlabel.features.models.architectures import timm_transform
from lowlabel.features.transforms import ImageTransform, WholeImage
from lowlabel.fields import encode


def photograph(width: int, height: int) -> Image.Image:
    """Smooth structure with noise, so that any shift or blur shows."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / (7 + c)) * np.cos(y / (11 - c)) for c in range(3)]
    noise = np.random.default_rng(0).normal(0, 10, (height, width, 3))
    return Image.fromarray(np.uint8(np.clip(np.dstack(waves) * 90 + 128 + noise, 0, 255)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "size", [(500, 375), (333, 500), (224, 224), (64, 48), (227, 227), (32, 32)]
)
@pytest.mark.parametrize(("resize", "crop"), [(256, 224), (224, 224), (37, 32), (73, 64)])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_equals_torchvision(tmp_path: Path, size, resize, crop, interpolation):
    path = tmp_path / "image.png"
    photograph(*size).save(path)
    reference = v2.Compose(
        [v2.Resize(resize, InterpolationMode(interpolation)), v2.CenterCrop(crop)]
    )(Image.open(path))
    ours = ImageTransform(resize, crop, interpolation).read(path)
    difference = ours.astype(int) - np.asarray(reference).astype(int)
    # Pillow rounds to 8 bits between its two passes and orders them by cost, which a crop changes.
    assert np.abs(difference).max() <= 2
    assert np.abs(difference).mean() < 0.3
    assert abs(difference.mean()) < 0.05


def test_normalise_equals_torchvision():
    transform = ImageTransform()
    pixels = torch.randint(0, 256, (2, 5, 5, 3), dtype=torch.uint8)
    reference = v2.functional.normalize(
        pixels.permute(0, 3, 1, 2) / 255, transform.mean, transform.std
    )
    torch.testing.assert_close(transform.normalise(pixels, torch.float32), reference)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1"])
def test_reads_every_colour_mode(tmp_path: Path, mode):
    path = tmp_path / ("image.tif" if mode == "CMYK" else "image.png")
    photograph(40, 30).convert(mode).save(path)
    assert ImageTransform(32, 28).read(path).shape == (28, 28, 3)


def test_box_is_cut_out_before_the_resize(tmp_path: Path):
    image = photograph(120, 90)
    image.save(tmp_path / "whole.png")
    image.crop((10, 20, 120, 70)).save(tmp_path / "cut.png")
    transform = ImageTransform(resize=37, crop=32)
    boxed = transform.read(tmp_path / "whole.png", (10, 20, 130, 70))  # clipped at 120
    np.testing.assert_array_equal(boxed, transform.read(tmp_path / "cut.png"))
    with pytest.raises(DataError, match=r"not inside .* which has 120×90 pixels"):
        transform.read(tmp_path / "whole.png", (120, 0, 150, 50))


def sideways(path: Path) -> Image.Image:
    """Saves a landscape whose EXIF orientation says that it lies on its side."""
    image, exif = photograph(120, 90), Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by 90°
    image.save(path, exif=exif)
    return image


@pytest.mark.parametrize("whole", [False, True])
def test_exif_orientation_is_applied_only_where_it_is_asked_for(tmp_path: Path, whole):
    image = sideways(tmp_path / "tagged.png")
    image.save(tmp_path / "stored.png")
    image.transpose(Image.Transpose.ROTATE_270).save(tmp_path / "upright.png")
    transform = WholeImage(64, True) if whole else ImageTransform(37, 32)
    turned = dataclasses.replace(transform, orientation="exif")
    stored, upright = (transform.read(tmp_path / f"{name}.png") for name in ("stored", "upright"))
    np.testing.assert_array_equal(transform.read(tmp_path / "tagged.png"), stored)
    np.testing.assert_array_equal(turned.read(tmp_path / "tagged.png"), upright)
    assert not np.array_equal(stored, upright)


def test_a_box_is_cut_out_of_the_stored_pixels_before_the_image_is_turned(tmp_path: Path):
    box = (10, 20, 90, 60)
    image = sideways(tmp_path / "tagged.png")
    image.crop(box).transpose(Image.Transpose.ROTATE_270).save(tmp_path / "cut.png")
    turned = ImageTransform(37, 32, orientation="exif")
    boxed = turned.read(tmp_path / "tagged.png", box)
    np.testing.assert_array_equal(boxed, turned.read(tmp_path / "cut.png"))
    picture, whole = open_image(tmp_path / "tagged.png", box, "exif")
    assert (picture.size, whole) == ((40, 80), (120, 90))


def test_resize_and_interpolation_are_those_that_were_asked_for(tmp_path: Path):
    path = tmp_path / "image.png"
    photograph(70, 50).save(path)
    asked = load_backbone("pixels", resolution=32, resize=40, interpolation="bilinear").transform
    assert asked == ImageTransform(40, 32, "bilinear")
    theirs = v2.Compose([v2.Resize(40, InterpolationMode.BILINEAR), v2.CenterCrop(32)])
    expected = np.asarray(theirs(Image.open(path)), dtype=int)
    assert np.abs(asked.read(path) - expected).max() <= 2
    square = load_backbone("pixels", framing="square", interpolation="nearest").transform
    assert square.interpolation == "nearest"
    longest = load_backbone("pixels", framing="longest").transform
    assert longest.interpolation == "lanczos"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resize": 16}, "resize=16 is smaller than the crop of 32 pixels"),
        ({"resize": 0}, "resize must be at least 1 pixel, not 0"),
        ({"resolution": 10**6}, "resolution must be at most 16,384 pixels, not 1,000,000"),
        ({"resize": 40, "framing": "square"}, "framing=square has none"),
        ({"interpolation": "cubic"}, "unknown interpolation 'cubic'"),
    ],
)
def test_a_resizing_that_cannot_be_is_an_error(options, message):
    with pytest.raises(UserError, match=message):
        load_backbone("pixels", **options)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(500, 375), (120, 333), (40, 40), (31, 200)])
@pytest.mark.parametrize("crop_mode", ["center", "squash", "border"])
@pytest.mark.parametrize(
    ("input_size", "crop_pct"),
    [((64, 64), 1.0), ((64, 64), 0.9), ((64, 64), 1.15), ((64, 48), 1.0), ((48, 64), 0.9)],
)
def test_every_crop_mode_equals_timm(
    tmp_path: Path, monkeypatch, size, crop_mode, input_size, crop_pct
):
    path = tmp_path / "image.png"
    photograph(*size).save(path)
    mean = (0.2, 0.5, 0.7)
    config = PretrainedCfg(
        input_size=(3, *input_size),
        crop_pct=crop_pct,
        crop_mode=crop_mode,
        mean=mean,
        std=(0.5,) * 3,
    )
    theirs = create_transform(**resolve_data_config({}, pretrained_cfg=config.to_dict()))
    monkeypatch.setattr(timm, "get_pretrained_cfg", lambda name: config)
    ours = timm_transform("resnet50")
    pixels = torch.from_numpy(ours.read(path).copy())[None]
    expected = theirs(Image.open(path))
    difference = (ours.normalise(pixels, torch.float32)[0] - expected).abs() * 255 * ours.std[0]
    assert difference.max() <= 2.01  # rounding of Pillow, as above
    assert difference.mean() < 0.3
    assert ours.blank == input_size


def test_published_tags_have_their_crop_mode_and_shape():
    modes = {
        "vit_base_patch16_clip_384.openai_ft_in1k": "squash",
        "deepseek_vit_412m.deepseek_v4_1_flash": "border",
        "resnet50.tv_in1k": "center",
    }
    for name, mode in modes.items():
        assert timm_transform(name).crop_mode == timm.get_pretrained_cfg(name).crop_mode == mode
    tall = timm_transform("vit_base_patch16_sapiens2.fb")
    assert (tall.resize, tall.crop, tall.side) == ((1024, 768), (1024, 768), 1024)
    assert "crop_mode" not in encode(timm_transform("resnet50.tv_in1k"))


def test_an_input_that_is_no_square_keeps_its_shape():
    backbone = load_backbone("random:test_vit,img_size=(64,32)", resize=36)
    transform = backbone.transform
    assert (transform.crop, transform.resize, transform.side) == ((64, 32), (72, 36), 64)
    assert backbone.embed(torch.zeros(1, 64, 32, 3, dtype=torch.uint8)).shape == (1, 64)
    plain = load_backbone("random:test_vit,img_size=(64,32)").transform
    assert plain.resize == (73, 37)
    with pytest.raises(UserError, match="resize=31 is smaller than the crop of 32 pixels"):
        load_backbone("random:test_vit,img_size=(64,32)", resize=31)
    with pytest.raises(UserError, match="cannot embed images of 64×64 pixels"):
        load_backbone("random:vit_tiny_patch16_224,depth=1,img_size=(64,32)", framing="square")
    assert load_backbone("random:test_vit,img_size=(64,64)").transform.crop == 64


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"resize": 10**6}, "not possible"),
        ({"crop": 32.5}, "not possible"),
        ({"crop": (32, 0)}, "not possible"),
        ({"resize": (1, 2, 3)}, "not possible"),
        ({"std": (1.0, 0.0, 1.0)}, "no mean"),
        ({"mean": (0.5, 0.5)}, "no mean"),
        ({"mean": (0.5, float("nan"), 0.5)}, "no mean"),
        ({"interpolation": "none"}, "interpolation is 'none', not nearest"),
        ({"crop_mode": "x"}, "crop_mode is 'x'"),
    ],
)
def test_transforms_that_cannot_be_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        ImageTransform(**changes)
