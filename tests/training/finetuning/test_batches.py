import numpy as np
import pytest

from lowlabel.errors import InputError
from lowlabel.training.finetuning.batches import ClassBalancedOrder

COUNTS = (7, 5, 4, 9, 6, 1)
LABELS = np.repeat(np.arange(len(COUNTS)), COUNTS)


def order(batch=6, each=2, rank=0, ranks=1, accumulate=1, labels=LABELS, seed=0):
    return ClassBalancedOrder(
        len(labels), batch, seed, rank, ranks, accumulate, labels=labels, images_per_class=each
    )


def images(batches, first, last):
    return [[key.image for key in part] for part in batches.from_step(first, last)]


def test_a_batch_holds_as_many_different_images_of_each_of_its_classes():
    batches = order()
    for batch in images(batches, 0, 5 * batches.steps_per_epoch):
        assert len(set(batch)) == 6
        found, counts = np.unique(LABELS[batch], return_counts=True)
        assert counts.tolist() == [2, 2, 2]
        assert 5 not in found  # it has one image


def test_an_epoch_uses_classes_and_images_about_equally():
    labels = np.repeat(np.arange(8), 6)
    batches = order(batch=8, labels=labels)
    used = np.concatenate(images(batches, 0, batches.steps_per_epoch))
    assert batches.steps_per_epoch == 6
    assert np.bincount(used, minlength=48).tolist() == [1] * 48


def test_batches_can_be_resumed_at_any_step():
    batches = order()
    whole = images(batches, 0, 23)
    assert all(images(batches, step, 23) == whole[step:] for step in range(23))
    assert whole != images(order(seed=1), 0, 23)


def test_processes_and_parts_share_a_batch():
    whole = images(order(batch=8), 0, 9)
    parts = [images(order(batch=8, rank=r, ranks=2, accumulate=2), 0, 9) for r in (0, 1)]
    for step, batch in enumerate(whole):
        shares = [part[2 * step] + part[2 * step + 1] for part in parts]
        assert [image for pair in zip(*shares, strict=True) for image in pair] == batch


def test_classes_with_too_few_images_are_counted():
    assert order().left_out == (1, 1)
    assert order(batch=10, each=5).left_out == (2, 5)


@pytest.mark.parametrize(
    ("batch", "each", "expected"),
    [
        (7, 2, "a multiple of 2"),
        (2, 2, "at least 2"),
        (12, 2, "needs 6 classes, but 5 of 6 classes have 2 images or more"),
        (18, 9, "needs 2 classes, but 1 of 6 classes has"),
        (6, 0, "images_per_class must be at least 1, not 0"),
    ],
)
def test_batches_that_the_data_cannot_fill_are_refused(batch, each, expected):
    with pytest.raises(InputError, match=expected):
        order(batch, each)
