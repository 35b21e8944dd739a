from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import InterpolationMode, RandomResizedCrop
from torchvision.transforms.functional import hflip, resized_crop

from lowlabel.datasets import open_dataset
from lowlabel.errors import InputError
from lowlabel.features import FeatureKey, extract_features, load_backbone
from lowlabel.features.transforms import ImageTransform
from lowlabel.features.views.crop import draw_box
from lowlabel.features.views.random_view import RandomView

SIZE = (90, 60)


@pytest.fixture
def path(tmp_path):
    random = np.random.default_rng(0)
    small = Image.fromarray(random.integers(0, 256, (6, 9, 3), dtype=np.uint8))
    small.resize(SIZE, Image.Resampling.BICUBIC).save(tmp_path / "a.png")
    return tmp_path / "a.png"


@pytest.fixture
def view():
    return RandomView.of(ImageTransform(40, 32), 2, 7)


def test_the_defaults_are_those_of_the_authors_transform(view):
    theirs = RandomResizedCrop(224)
    assert view.scale == theirs.scale
    assert view.ratio == pytest.approx(theirs.ratio)
    assert InterpolationMode(view.interpolation) == theirs.interpolation
    assert view.flip == 0.5


def test_a_view_is_the_crop_of_torchvision(view, path):
    image, flips = Image.open(path).convert("RGB"), set()
    for row in range(20):
        random = np.random.default_rng((7, 2, row))
        box = draw_box(random, SIZE, view.scale, view.ratio)
        flipped = random.random() < 0.5
        flips.add(flipped)
        expected = resized_crop(image, *box, [32, 32], InterpolationMode.BILINEAR)
        expected = hflip(expected) if flipped else expected
        np.testing.assert_array_equal(view.read(path, row=row), np.asarray(expected))
    assert flips == {True, False}


def test_boxes_are_distributed_as_those_of_torchvision():
    random = np.random.default_rng(0)
    torch.manual_seed(0)
    image = torch.zeros(3, SIZE[1], SIZE[0])
    ours = np.array([draw_box(random, SIZE, (0.08, 1), (3 / 4, 4 / 3)) for _ in range(3000)], float)
    theirs = np.array(
        [RandomResizedCrop.get_params(image, [0.08, 1], [3 / 4, 4 / 3]) for _ in range(3000)],
        float,
    )
    spread = theirs.std(0) * np.sqrt(2 / 3000)
    assert (np.abs(ours.mean(0) - theirs.mean(0)) < 5 * spread).all()
    np.testing.assert_allclose(ours.std(0), theirs.std(0), rtol=0.1)


@pytest.mark.parametrize("size", [(400, 4), (4, 400), (1, 1)])
def test_a_box_lies_in_the_image_whatever_its_shape(size):
    random = np.random.default_rng(0)
    for _ in range(50):
        top, left, height, width = draw_box(random, size, (0.08, 1), (3 / 4, 4 / 3))
        assert 0 <= top <= top + height <= size[1] and height > 0
        assert 0 <= left <= left + width <= size[0] and width > 0


def test_a_view_depends_on_number_seed_and_row_alone(view, path):
    found = {
        (each.view, each.seed, row): each.read(path, row=row).tobytes()
        for each in (view, replace(view, view=0), replace(view, seed=0))
        for row in (0, 1)
    }
    assert len(set(found.values())) == len(found)
    assert replace(view).read(path, row=1).tobytes() == found[2, 7, 1]


def test_views_are_stored_apart_and_drawn_by_row(image_folder):
    images = open_dataset(f"folder:{image_folder}").load("novel")
    backbone = load_backbone("pixels", resolution=8, device="cpu")
    first, second = backbone.view(0, 5), backbone.view(1, 5)
    keys = {FeatureKey.of(each, images).digest for each in (backbone, first, second)}
    assert len(keys) == 3
    table = extract_features(first, images)
    again = extract_features(first, images)
    np.testing.assert_array_equal(table.features, again.features)
    assert not np.array_equal(table.features, extract_features(second, images).features)
    row = len(images) - 1
    pixels = first.transform.read(images.root / images.paths[row], row=row)
    expected = first.embed(torch.from_numpy(pixels.copy())[None])[0].numpy()
    np.testing.assert_allclose(table.features[row], expected, rtol=1e-5, atol=1e-6)


def test_whole_images_have_no_views():
    whole = load_backbone("pixels", framing="square", device="cpu")
    with pytest.raises(InputError, match="framing keeps images whole"):
        whole.view(0, 0)
