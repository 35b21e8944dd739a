from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from lowlabel.errors import DataError
from lowlabel.training.listing import list_pretrain_data
from lowlabel.training.views.dataset import Key, ViewDataset, read_image
from lowlabel.training.views.recipe import ViewRecipe

RECIPE = ViewRecipe(16, 8, 1)


def test_views_change_with_the_epoch(stripes):
    images = list_pretrain_data(f"folder:{stripes}").images
    dataset = ViewDataset(images, RECIPE, 1)
    assert not torch.equal(dataset[Key(0, 0, 3)].geometry, dataset[Key(1, 0, 3)].geometry)


def test_unreadable_images_are_replaced_and_named(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    for name in ("a", "d"):
        Image.fromarray(noise).save(tmp_path / f"{name}.png")
    (tmp_path / "b.png").write_bytes(b"no image")
    Image.fromarray(noise[:1]).save(tmp_path / "c.png")
    dataset = ViewDataset(list_pretrain_data(str(tmp_path)).images, RECIPE, 0)
    assert dataset[Key(0, 0, 0)].unreadable == []
    assert dataset[Key(0, 0, 1)].unreadable == [1, 2]
    assert dataset[Key(0, 0, 2)].unreadable == [2]
    for name in ("a", "d"):
        (tmp_path / f"{name}.png").write_bytes(b"")
    with pytest.raises(DataError, match="4 images in a row cannot be read"):
        dataset[Key(0, 0, 0)]


def test_images_are_turned_by_exif_only_where_the_recipe_says_so(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)
    image, exif = Image.fromarray(noise), Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "tagged.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "tagged.png"), noise)
    turned = np.rot90(noise, -1)
    np.testing.assert_array_equal(read_image(tmp_path / "tagged.png", "exif"), turned)
    images = list_pretrain_data(str(tmp_path)).images
    stored, upright = (
        ViewDataset(images, replace(RECIPE, orientation=orientation), 0)[Key(0, 0, 0)]
        for orientation in ("stored", "exif")
    )
    assert not torch.equal(stored.geometry, upright.geometry)


def test_images_of_16_bits_give_the_views_of_their_8_bit_originals(tmp_path):
    grey = np.random.default_rng(0).integers(0, 256, (20, 20), dtype=np.uint8)
    for name, pixels in (("8", grey), ("16", grey.astype(np.uint16) * 257)):
        (tmp_path / name).mkdir()
        Image.fromarray(pixels).save(tmp_path / name / "a.png")
    plain, deep = (
        ViewDataset(list_pretrain_data(str(tmp_path / name)).images, RECIPE, 0)[Key(0, 0, 0)]
        for name in ("8", "16")
    )
    for view, other in zip(plain.views, deep.views, strict=True):
        assert torch.equal(view, other)


def test_a_folder_of_refused_images_says_why(tmp_path):
    Image.fromarray(np.full((8, 8), -1, np.float32)).save(tmp_path / "a.tif")
    dataset = ViewDataset(list_pretrain_data(str(tmp_path)).images, RECIPE, 0)
    with pytest.raises(
        DataError, match=r"the last: .*a\.tif is an image of mode F .*from -1 to -1"
    ):
        dataset[Key(0, 0, 0)]
