"""Scored classes that pretrained models have seen are counted."""

from pathlib import Path

import numpy as np
import pytest

from lowlabel.datasets import ImageSet, classes_seen
from lowlabel.datasets.pretraining import pretraining_set
from lowlabel.datasets.splits import published_classes, split_list
from lowlabel.errors import UnknownNameError


def part(dataset: str, name: str) -> ImageSet:
    return ImageSet(dataset, name, Path(), (), np.zeros(0, np.int64), ())


@pytest.mark.parametrize(
    ("pretraining", "dataset", "name", "seen"),
    [
        ("ssl-vit-mini", "mini-imagenet:ravi", "novel", None),
        ("ssl-vit-mini", "mini-imagenet:ravi", "base", None),
        ("ssl-vit-mini", "tiered-imagenet:ren", "novel", "117 of the 160"),
        ("ssl-vit-tiered", "tiered-imagenet:ren", "novel", None),
        ("ssl-vit-tiered", "tiered-imagenet:ren", "val", "80 of the 97"),
        ("ssl-vit-tiered", "tiered-imagenet:ren", "base", "274 of the 351"),
        ("ssl-vit-tiered", "mini-imagenet:ravi", "novel", "13 of the 20"),
        ("imagenet-1k", "mini-imagenet:ravi", "novel", "20 of the 20"),
        ("imagenet-1k", "tiered-imagenet:ren", "novel", "160 of the 160"),
        ("imagenet-1k", "cifar-fs:bertinetto", "novel", None),
        ("imagenet-1k", "cifar-100:krizhevsky", "test", None),
        ("imagenet-1k", "imagenet:ilsvrc2012", "val", None),  # the protocol itself
    ],
)
def test_classes_seen_are_counted(pretraining, dataset, name, seen):
    said = classes_seen(part(dataset, name), pretraining)
    assert said == (seen and f"pretrained on {pretraining}: {seen} {name} classes")


def test_only_the_classes_of_a_subset_are_counted():
    wnids = [row["wnid"] for row in split_list("mini_imagenet") if row["part"] == "novel"][:4]
    images = ImageSet("mini-imagenet:ravi-some", "novel", Path(), (), np.zeros(0), tuple(wnids))
    said = "pretrained on imagenet-1k: 4 of the 4 novel classes"
    assert classes_seen(images, "imagenet-1k") == said


def test_an_unknown_pretraining_set_gets_a_suggestion():
    with pytest.raises(UnknownNameError, match="Did you mean ssl-vit-mini"):
        classes_seen(part("cub:feat", "novel"), "ssl-vit-mni")


def test_ssl_vit_lists_are_the_published_ones(real_data):
    folder = real_data.parent / "lists" / "ssl_vit"
    if not folder.is_dir():
        pytest.skip(f"there are no published lists in {folder}")
    for name in ("mini", "tiered"):
        published = (folder / f"ImageNetSSLTrainingSplit_{name}.txt").read_text().split()
        ours = [row["wnid"] for row in split_list("ssl_vit") if row[name] == "yes"]
        assert sorted(published) == ours


def test_pretraining_sets_are_told_by_dataset_and_classes():
    mini = published_classes("ssl-vit-mini")
    assert pretraining_set("imagenet:ilsvrc2012", ()) == "imagenet-1k"
    assert pretraining_set("imagenet:ilsvrc2012", mini[::-1]) == "ssl-vit-mini"
    assert pretraining_set("folder:train", published_classes("ssl-vit-tiered")) == "ssl-vit-tiered"
    assert pretraining_set("imagenet:ilsvrc2012", mini[1:]) is None
    assert pretraining_set("tiny-imagenet:cs231n", ()) is None
