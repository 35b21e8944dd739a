"""DeepFashion In-Shop on a small tree in the published layouts."""

import pytest

from lowlabel.datasets import DATASETS, open_dataset, prepare
from lowlabel.datasets.counts import load_part
from lowlabel.errors import DataError


@pytest.fixture
def clothes(tmp_path, write_image):
    root = tmp_path / "inshop"
    rows = []
    for item in range(1, 6):
        statuses = ["train", "train"] if item < 3 else ["query", "gallery", "gallery"]
        for k, status in enumerate(statuses):
            path = f"img/WOMEN/Dresses/id_{item:08d}/0{k}_1_front.jpg"
            write_image(root / path)
            rows.append(f"{path}    id_{item:08d} {status}")
    lines = [str(len(rows)), "image_name item_id evaluation_status", *rows]
    (root / "Eval").mkdir()
    (root / "Eval" / "list_eval_partition.txt").write_text("\n".join(lines) + "\n")
    return root


@pytest.mark.parametrize("layout", ["Eval", "flat", "Img"])
def test_inshop_parts_are_listed_in_every_layout(clothes, layout):
    listing = clothes / "Eval" / "list_eval_partition.txt"
    if layout == "flat":
        listing.rename(clothes / listing.name)
    if layout == "Img":
        (clothes / "Img").mkdir()
        (clothes / "img").rename(clothes / "Img" / "img")
    inshop, division = DATASETS["inshop"], DATASETS["inshop"].divisions[0]
    parts = {part: load_part(inshop, division, clothes, part) for part in division.parts}
    assert {name: part.counts for name, part in parts.items()} == {
        "train": (4, 2), "gallery": (6, 3), "query": (3, 3),
    }  # fmt: skip
    assert parts["query"].class_names == parts["gallery"].class_names
    assert (division.evaluated, division.gallery, division.train_part) == (
        "query",
        "gallery",
        "train",
    )
    assert all((clothes / path).is_file() for part in parts.values() for path in part.paths)
    assert sum(counts.images for counts in division.expected.values()) == 52_712


def test_a_truncated_inshop_list_is_refused(clothes):
    listing = clothes / "Eval" / "list_eval_partition.txt"
    listing.write_text("".join(line + "\n" for line in listing.read_text().splitlines()[:-2]))
    inshop, division = DATASETS["inshop"], DATASETS["inshop"].divisions[0]
    with pytest.raises(DataError, match="it lists 11 images, its first line says 13"):
        load_part(inshop, division, clothes, "query")


def test_inshop_is_prepared_from_images_and_list(clothes, tmp_path, zipped):
    images = zipped(clothes / "img", tmp_path / "img.zip")
    listing = tmp_path / "list_eval_partition.txt"
    (clothes / "Eval" / listing.name).rename(listing)
    with pytest.raises(DataError, match=r"query: found 3 images of 3 classes, the full set has 14"):
        prepare(DATASETS["inshop"], images, listing)
    prepare(DATASETS["inshop"], images, listing, allow_partial=True)
    assert open_dataset("inshop", allow_partial=True).load("query").counts == (3, 3)
