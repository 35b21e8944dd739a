import numpy as np
import pytest

from lowlabel.fewshot.disjoint import disjoint_tasks

LABELS = np.random.default_rng(0).permutation(np.repeat([2, 5, 6, 9], [9, 14, 7, 20]))


@pytest.mark.parametrize(("ways", "shots"), [(2, 1), (3, 2), (4, 1)])
def test_no_image_is_drawn_twice_and_no_task_is_left(ways, shots):
    tasks = disjoint_tasks(LABELS, ways, shots, seed=0)
    rows = np.concatenate([tasks.support.reshape(len(tasks), -1), tasks.query], 1)
    assert len(np.unique(rows)) == rows.size
    for support, query in zip(LABELS[tasks.support], LABELS[tasks.query], strict=True):
        assert len(set(support[:, 0])) == ways
        assert (support == query[:, None]).all()
    left = np.bincount(LABELS) - np.bincount(LABELS[rows].ravel(), minlength=10)
    assert (left > shots).sum() < ways


def test_the_seed_decides_the_tasks():
    first, same, other = (disjoint_tasks(LABELS, 2, 1, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.support, same.support)
    assert not np.array_equal(first.support, other.support)


def test_images_that_make_no_task():
    assert len(disjoint_tasks(np.repeat([0, 1], [5, 1]), 2, 1, 0)) == 0
