"""Copydays on a small tree in the published layout."""

import pytest

from lowlabel.benchmarks import Request, make_plan
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


def test_blocks_are_divisions_and_may_be_absent(tmp_path, write_image, zipped):
    for folder in ("original", "strong", "jpegqual/3", "crops/80"):
        for name in ("200000", "200100"):
            write_image(tmp_path / "copydays" / folder / f"{name}.jpg")
    archive = zipped(tmp_path / "copydays", tmp_path / "c.zip")
    prepare(DATASETS["copydays"], archive, allow_partial=True)
    blocks = {division.name: division for division in DATASETS["copydays"].divisions}
    assert len(blocks) == 1 + 9 + 9
    assert all(each.expected[name] == (157, None) for name, each in [*blocks.items()][1:])
    opened = open_dataset("copydays:jpegqual-3", allow_partial=True)
    assert opened.load("jpegqual-3").paths == ("jpegqual/3/200000.jpg", "jpegqual/3/200100.jpg")
    assert opened.load("jpegqual-3").class_names == opened.load("original").class_names
    plan = make_plan(Request("copies", tmp_path, ("pixels",), allow_partial=True))
    jobs = [job.dataset for job in plan.jobs]
    assert jobs == ["copydays:strong", "copydays:jpegqual-3", "copydays:crops-80"]
    assert len(plan.skipped) == 16
    assert any("Copydays has no crops/10, which" in note for note in plan.skipped)
    with pytest.raises(DataError, match="has no crops/10, which"):
        make_plan(
            Request("copies", tmp_path, ("pixels",), options={"dataset": ("copydays:crops-10",)})
        )
