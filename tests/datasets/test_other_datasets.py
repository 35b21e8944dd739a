"""Datasets that are taken for another one are refused by name."""

import pytest

from lowlabel.datasets import DATASETS, prepare, prepared_folder
from lowlabel.errors import DataError


@pytest.mark.parametrize(
    ("name", "files", "message"),
    [
        (
            "cub",
            ("lists/files.txt", "lists/classes.txt"),
            "holds CUB-200 of 2010, not CUB-200-2011",
        ),
        ("cub", ("images.txt", "hierarchy.txt", "classes.txt"), "holds NABirds, not CUB"),
        ("fc100", ("splits/bertinetto/test.txt", "test/a"), "holds CIFAR-FS, not FC100"),
        ("fc100", ("test/n01930112/0.jpg",), "holds mini-ImageNet, not FC100"),
        (
            "mini-imagenet",
            ("train_images.npz", "train_labels.pkl"),
            "holds tiered-ImageNet, not mini",
        ),
        (
            "tiered-imagenet",
            tuple(f"mini-imagenet-cache-{part}.pkl" for part in ("train", "val", "test")),
            "holds mini-ImageNet, not tiered-ImageNet",
        ),
    ],
)
def test_another_dataset_is_refused_by_name(tmp_path, name, files, message):
    for file in files:
        path = tmp_path / "archive" / "inner" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    with pytest.raises(DataError, match=message):
        prepare(DATASETS[name], tmp_path / "archive", allow_partial=True)
    assert not prepared_folder(DATASETS[name]).exists()


@pytest.mark.parametrize(
    ("header", "title"),
    [
        ("image_pair_name_1 image_pair_name_2 item_id evaluation_status", "Consumer-to-shop"),
        ("image_name evaluation_status", "Category and Attribute Prediction"),
    ],
)
def test_other_lists_of_deepfashion_are_refused_by_name(tmp_path, header, title):
    listing = tmp_path / "fashion" / "Eval" / "list_eval_partition.txt"
    listing.parent.mkdir(parents=True)
    listing.write_text(f"1\n{header}\nimg/a.jpg train\n")
    with pytest.raises(DataError, match=f"is the list of DeepFashion {title}, not of"):
        prepare(DATASETS["inshop"], tmp_path / "fashion", allow_partial=True)
