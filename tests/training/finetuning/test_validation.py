from pathlib import Path

import numpy as np
import pytest
import torch

from lowlabel.datasets import ImageSet, LabelledPath
from lowlabel.errors import InputError
from lowlabel.training.finetuning.validation import (
    best_epoch,
    split_classes,
    validation_scores,
)


def image_set(*counts):
    listing = [
        LabelledPath(f"c{label:02}/{n}.png", f"c{label:02}")
        for label, count in enumerate(counts)
        for n in range(count)
    ]
    return ImageSet.from_listing("folder:x", "train", Path("/nowhere"), listing)


def test_learned_and_validation_classes_are_disjoint_and_complete():
    images = image_set(*range(2, 22))
    split = split_classes(images, 0.2, seed=3)
    learned, held_out = set(split.learned.class_names), set(split.validation.class_names)
    assert not learned & held_out
    assert learned | held_out == set(images.class_names)
    assert len(held_out) == 4
    assert sorted(split.learned.paths + split.validation.paths) == sorted(images.paths)
    assert split.learned.labels.max() == 15


def test_the_seed_decides_the_classes():
    images = image_set(*[3] * 20)
    first, again, other = (split_classes(images, 0.2, s).validation.class_names for s in (0, 0, 1))
    assert first == again != other


def test_no_validation_leaves_all_classes():
    images = image_set(3, 3)
    split = split_classes(images, 0, 0)
    assert split.validation is None
    assert split.learned is images


@pytest.mark.parametrize(
    ("counts", "share", "expected"),
    [
        ([5], 0.2, "a single class"),
        ([5, 5, 5], 0.2, "2 of the 3 classes of folder:x train for validation would leave 1"),
        ([5] * 10, 0.9, "9 of the 10 classes"),
        ([5] * 10, 1.0, "would leave 0"),
        ([5] * 10, 1.5, "must be a share"),
        ([1] * 10, 0.2, "has two images"),
    ],
)
def test_impossible_divisions_are_refused(counts, share, expected):
    with pytest.raises(InputError, match=expected):
        split_classes(image_set(*counts), share, 0)


def test_scores_are_those_of_retrieval():
    rows = torch.tensor([[1.0, 0], [1, 0.1], [0, 1], [0.1, 1], [1, 0.2]])
    scores = validation_scores(rows, torch.tensor([0, 0, 1, 1, 1]), "cpu")
    neighbours = [1, 4, 3, 2, 1]  # by the angle
    labels = np.array([0, 0, 1, 1, 1])
    expected = 100 * np.mean([labels[i] == labels[n] for i, n in enumerate(neighbours)])
    assert scores["recall@1"] == pytest.approx(expected)
    assert 0 < scores["map@r"] < 100


def test_the_best_epoch_is_the_first_of_equals():
    scores = [
        {"recall@1": 50.0, "map@r": 20.0},
        {"recall@1": 60.0, "map@r": 20.0},
        {"recall@1": 60.0, "map@r": 25.0},
        {"recall@1": 60.0, "map@r": 25.0},
    ]
    assert best_epoch(scores, "recall@1") == 2
    assert best_epoch(scores, "map@r") == 2
    assert best_epoch(scores[:2], "map@r") == 1
