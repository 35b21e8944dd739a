"""Copydays on a small tree in the published layout."""

import pytest

from lowlabel.datasets import DATASETS, open_dataset, prepare
from lowlabel.datasets.counts import load_part
from lowlabel.errors import DataError


def test_copies_share_four_characters_with_their_original(tmp_path, write_image, zipped):
    for name in (
        "original/200000.jpg",
        "original/200100.jpg",
        "strong/200001.jpg",
        "strong/200102.jpg",
    ):
        write_image(tmp_path / "copydays" / name)
    prepare(
        DATASETS["copydays"], zipped(tmp_path / "copydays", tmp_path / "c.zip"), allow_partial=True
    )
    opened = open_dataset("copydays", allow_partial=True)
    assert (opened.division.kind, opened.division.evaluated, opened.division.gallery) == (
        "copies",
        "strong",
        "original",
    )
    strong, original = opened.load("strong"), opened.load("original")
    assert strong.paths == ("strong/200001.jpg", "strong/200102.jpg")
    assert strong.class_names == original.class_names == ("2000", "2001")
    assert opened.division.expected == {"original": (157, None), "strong": (229, None)}


def test_copydays_without_originals_is_refused(tmp_path, write_image):
    write_image(tmp_path / "copydays" / "strong" / "200001.jpg")
    with pytest.raises(DataError, match=r"there is no folder .*original"):
        load_part(
            DATASETS["copydays"],
            DATASETS["copydays"].divisions[0],
            tmp_path / "copydays",
            "original",
        )
