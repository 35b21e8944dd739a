"""Numbers with their nouns."""

import pytest

from lowlabel.errors import number_of, singular


@pytest.mark.parametrize(("plural", "one"), [
    ("images", "image"), ("classes", "class"), ("processes", "process"), ("queries", "query"),
    ("patches", "patch"), ("archives", "archive"), ("train images", "train image"),
    ("labelled", "labelled"),
])  # fmt: skip
def test_one_of_them_is_singular(plural, one):
    assert singular(plural) == one
    assert number_of(1, plural) == f"1 {one}"
    assert [number_of(n, plural) for n in (0, 2, 1200)] == [
        f"{n} {plural}" for n in ("0", "2", "1,200")
    ]
