import numpy as np
import pytest
import torch
from PIL import Image

from lowlabel.errors import DataError, InputError
from lowlabel.training.data import BatchOrder, Key, ViewDataset, batch_loader
from lowlabel.training.listing import list_pretrain_data
from lowlabel.training.views.device_views import device_views
from lowlabel.training.views.recipe import ViewRecipe

RECIPE = ViewRecipe(16, 8, 1)


def test_an_epoch_sees_each_image_once_in_an_order_of_its_own():
    order = BatchOrder(20, 5, seed=3)
    keys = list(order.from_step(0, 8))
    epochs = [[key.image for batch in keys[n : n + 4] for key in batch] for n in (0, 4)]
    assert [sorted(epoch) for epoch in epochs] == [list(range(20))] * 2
    assert epochs[0] != epochs[1]
    assert keys == list(BatchOrder(20, 5, seed=3).from_step(0, 8))


def test_order_can_be_taken_up_in_the_middle():
    order = BatchOrder(23, 4, seed=0)
    whole = list(order.from_step(0, 13))
    for step in (0, 3, 5, 7, 12, 13):
        assert list(order.from_step(step, 13)) == whole[step:]


def test_processes_and_parts_share_the_batch_of_one():
    (alone,) = BatchOrder(16, 8, 0).from_step(1, 2)
    shares = [list(BatchOrder(16, 8, 0, rank, 2, 2).from_step(1, 2)) for rank in range(2)]
    assert [len(share) for share in shares] == [2, 2]
    assert {k for share in shares for part in share for k in part} == set(alone)


def test_batches_that_do_not_fit():
    with pytest.raises(InputError, match="3 processes have only 2 images"):
        BatchOrder(2, 3, 0, 0, 3)
    with pytest.raises(InputError, match=r"batch of 9 .* 2 processes in 2 parts"):
        BatchOrder(20, 9, 0, 0, 2, 2)
    with pytest.raises(InputError, match="5 images do not fill a batch of 8") as error:
        BatchOrder(5, 8, 0)
    assert "--batch-size 5" in error.value.hint


@pytest.mark.parametrize("workers", [0, 2])
def test_workers_do_not_change_batches(stripes, workers):
    images = list_pretrain_data(f"folder:{stripes}").images
    dataset, order = ViewDataset(images, RECIPE, 1), BatchOrder(len(images), 8, 1)
    batches = list(batch_loader(dataset, order, 2, 6, workers, pin=False))
    assert len(batches) == 4
    for batch, keys in zip(batches, order.from_step(2, 6), strict=True):
        for row, key in enumerate(keys):
            views, geometry, _ = dataset[key]
            assert torch.equal(batch.geometry[row], geometry)
            for view, own in zip(batch.views, views, strict=True):
                assert torch.equal(view[row], own)


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


def test_drawn_images_become_the_same_views(stripes):
    images = list_pretrain_data(f"folder:{stripes}").images
    order = BatchOrder(len(images), 8, 1)
    made, drawn = (
        next(iter(batch_loader(ViewDataset(images, RECIPE, 1, only), order, 0, 1, 0, pin=False)))
        for only in (False, True)
    )
    assert torch.equal(made.geometry, drawn.geometry)
    for one, other in zip(made.views, device_views(drawn, torch.device("cpu")), strict=True):
        assert one.shape == other.shape
        assert (one.float() - other.float()).abs().mean() < 3
