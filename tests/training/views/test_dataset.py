import numpy as np
import pytest
import torch
from PIL import Image

from lowlabel.errors import DataError
from lowlabel.training.listing import list_pretrain_data
from lowlabel.training.views.dataset import Key, ViewDataset
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
