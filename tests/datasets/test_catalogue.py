"""Names of datasets, and preparing them."""

import pytest

from lowlabel.datasets import DATASETS, find_dataset, open_dataset, prepare
from lowlabel.errors import DataError, UnknownNameError


def test_unknown_names_get_suggestions():
    with pytest.raises(UnknownNameError, match="Did you mean cifar-fs"):
        find_dataset("cifarfs")
    with pytest.raises(UnknownNameError, match="Did you mean closerlook"):
        find_dataset("cub:closer")


def test_unprepared_dataset_says_how_to_get_it():
    with pytest.raises(DataError, match="lowlabel prepare cub --archive FILE"):
        open_dataset("cub")


def test_prepare_refuses_another_layout(tmp_path, write_image, zipped):
    write_image(tmp_path / "birds" / "a" / "1.png")
    archive = zipped(tmp_path / "birds", tmp_path / "birds.zip")
    with pytest.raises(DataError, match=r"does not hold CUB-200-2011: no images\.txt"):
        prepare(DATASETS["cub"], archive)


@pytest.mark.slow
def test_real_archives(real_data):
    prepare(DATASETS["cub"], real_data / "CUB_200_2011.zip", allow_partial=True)
    test = open_dataset("cub:dml-zeroshot", allow_partial=True).load("test")
    assert test.counts == (2_474, 42)
    prepare(DATASETS["cifar-fs"], real_data / "cifar100.zip", allow_partial=True)
    cifar = open_dataset("cifar-fs")
    assert cifar.load("novel").counts == (12_000, 20)
    with pytest.raises(DataError, match="found 19,200 images of 64 classes, the full set has 38,4"):
        cifar.load("base")
