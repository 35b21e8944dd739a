"""Stanford Online Products on a small tree in the published layout."""

import pytest

from lowlabel.datasets import DATASETS
from lowlabel.datasets.counts import load_part
from lowlabel.errors import DataError


@pytest.fixture
def products(tmp_path, write_image):
    root = tmp_path / "Stanford_Online_Products"
    number = 0
    for part, classes in (("train", range(1, 4)), ("test", range(11_319, 11_323))):
        lines = ["image_id class_id super_class_id path"]
        for class_id in classes:
            for k in range(2):
                number += 1
                path = f"bicycle_final/{class_id}_{k}.JPG"
                write_image(root / path)
                lines.append(f"{number} {class_id} 1 {path}")
        (root / f"Ebay_{part}.txt").write_text("\n".join(lines) + "\n")
    return root


def test_sop_parts_are_listed_and_other_files_refused(products):
    sop, division = DATASETS["sop"], DATASETS["sop"].divisions[0]
    test = load_part(sop, division, products, "test")
    assert test.counts == (8, 4)
    assert test.class_names[0] == "11319"
    assert load_part(sop, division, products, "train").counts == (6, 3)
    assert division.expected["test"] == (60_502, 11_316)
    assert sop.ks == (1, 10, 100, 1000)
    for text in ("1 1 1 a.JPG\n", "image_id class_id super_class_id path\n1 1 a.JPG\n", ""):
        (products / "Ebay_test.txt").write_text(text)
        with pytest.raises(DataError, match="not a list of Stanford Online Products"):
            load_part(sop, division, products, "test")
