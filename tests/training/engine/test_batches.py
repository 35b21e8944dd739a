import pytest
import torch

from lowlabel.errors import InputError
from lowlabel.training.engine.batches import BatchOrder, batch_loader
from lowlabel.training.listing import list_pretrain_data
from lowlabel.training.views.dataset import ViewDataset
from lowlabel.training.views.device_views import device_views
from lowlabel.training.views.recipe import ViewRecipe

RECIPE = ViewRecipe(16, 8, 1)


def test_each_epoch_has_every_image_once_in_its_own_order():
    order = BatchOrder(20, 5, seed=3)
    keys = list(order.from_step(0, 8))
    epochs = [[key.image for batch in keys[n : n + 4] for key in batch] for n in (0, 4)]
    assert [sorted(epoch) for epoch in epochs] == [list(range(20))] * 2
    assert epochs[0] != epochs[1]
    assert keys == list(BatchOrder(20, 5, seed=3).from_step(0, 8))


def test_the_order_can_be_resumed_at_any_step():
    order = BatchOrder(23, 4, seed=0)
    whole = list(order.from_step(0, 13))
    for step in (0, 3, 5, 7, 12, 13):
        assert list(order.from_step(step, 13)) == whole[step:]


def test_processes_and_parts_share_the_batch_of_one_process():
    (alone,) = BatchOrder(16, 8, 0).from_step(1, 2)
    shares = [list(BatchOrder(16, 8, 0, rank, 2, 2).from_step(1, 2)) for rank in range(2)]
    assert [len(share) for share in shares] == [2, 2]
    assert {k for share in shares for part in share for k in part} == set(alone)


def test_batches_that_cannot_be_filled_or_split_are_refused():
    with pytest.raises(InputError, match="3 processes cannot share 2 images"):
        BatchOrder(2, 3, 0, 0, 3)
    with pytest.raises(InputError, match=r"batch of 9 .* 2 processes in 2 parts"):
        BatchOrder(20, 9, 0, 0, 2, 2)
    with pytest.raises(InputError, match=r"256 .* 3 processes in 2 parts") as error:
        BatchOrder(999, 256, 0, 0, 3, 2)
    assert "start 2 processes with --accumulate 4" in error.value.hint
    with pytest.raises(InputError, match="at least 1 image, not 0"):
        BatchOrder(5, 0, 0)
    with pytest.raises(InputError, match="5 images cannot fill a batch of 8") as error:
        BatchOrder(5, 8, 0)
    assert "--batch-size 5" in error.value.hint


@pytest.mark.parametrize("workers", [0, 2])
def test_the_number_of_workers_does_not_change_batches(stripes, workers):
    images = list_pretrain_data(f"folder:{stripes}").images
    dataset, order = ViewDataset(images, RECIPE, 1), BatchOrder(len(images), 8, 1)
    batches = list(batch_loader(dataset, order, 2, 6, workers, pin=False))
    assert len(batches) == 4
    for batch, keys in zip(batches, order.from_step(2, 6), strict=True):
        for row, key in enumerate(keys):
            views, geometry, *_ = dataset[key]
            assert torch.equal(batch.geometry[row], geometry)
            for batch_view, view in zip(batch.views, views, strict=True):
                assert torch.equal(batch_view[row], view)


def test_views_made_on_the_device_equal_those_of_the_workers(stripes):
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
