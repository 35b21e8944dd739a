"""DeepFashion In-Shop: 52,712 photographs of 7,982 clothing items (Liu et al., CVPR 2016).

`dml-zeroshot` is the authors' division: 3,997 items to train on; of 3,985 other items, some images
are queries and the rest form the gallery.
"""

from pathlib import Path

from lowlabel.datasets.base import Dataset, Division
from lowlabel.datasets.images import Counts, LabelledPath
from lowlabel.datasets.io.lists import nested, read_lines
from lowlabel.errors import DataError

_LISTS = ("Eval/list_eval_partition.txt", "list_eval_partition.txt")
_OTHERS = {
    "Consumer-to-shop": [
        *("image_pair_name_1", "image_pair_name_2", "item_id", "evaluation_status"),
    ],
    "Category and Attribute Prediction": ["image_name", "evaluation_status"],
}
_PREPARE = (
    "Prepare it again: lowlabel prepare inshop --archive img.zip --archive list_eval_partition.txt"
)
_IMAGE_ROOTS = ("", "Img")  # paths in the list begin with img/


def _read(root: Path, part: str) -> list[LabelledPath]:
    listing = next((root / name for name in _LISTS if (root / name).is_file()), root / _LISTS[0])
    try:
        count, header, *rows = (line.split() for line in read_lines(listing, _PREPARE))
        _refuse_others(listing, header)
        if header != ["image_name", "item_id", "evaluation_status"]:
            raise ValueError("its second line is not 'image_name item_id evaluation_status'")
        if len(rows) != int(count[0]):
            raise ValueError(f"it lists {len(rows):,} images, its first line says {count[0]}")
        prefix = _prefix(root)
        return [LabelledPath(prefix + path, item) for path, item, status in rows if status == part]
    except ValueError as error:
        raise DataError(f"{listing} is not the In-Shop partition: {error}", _PREPARE) from error


def _refuse_others(listing: Path, header: list[str]) -> None:
    """Refuses the lists of the other benchmarks of DeepFashion, which have the same file name."""
    for title, columns in _OTHERS.items():
        if header == columns:
            raise DataError(
                f"{listing} is the list of DeepFashion {title}, not of DeepFashion In-Shop",
                f"Get {INSHOP.obtain}.",
            )


def _prefix(root: Path) -> str:
    """The folder that holds `img/`, to which the list's paths are relative."""
    inside = next((name for name in _IMAGE_ROOTS if (root / name / "img").is_dir()), "")
    return nested(root, f"{inside}/img" if inside else "img").removesuffix("img")


INSHOP = Dataset(
    name="inshop",
    title="DeepFashion In-Shop",
    licence="non-commercial research; its authors give access on request",
    source="Liu et al., DeepFashion, CVPR 2016",
    obtain="img.zip and list_eval_partition.txt of the In-shop Clothes Retrieval Benchmark from "
    "https://mmlab.ie.cuhk.edu.hk/projects/DeepFashion/InShopRetrieval.html",
    marker=_LISTS[0],
    other_markers=_LISTS[1:],
    divisions=(
        Division(
            "dml-zeroshot",
            ("train", "gallery", "query"),
            _read,
            {
                "train": Counts(25_882, 3_997),
                "gallery": Counts(12_612, 3_985),
                "query": Counts(14_218, 3_985),
            },
            gallery="gallery",
        ),
    ),
    ks=(1, 10, 20, 30, 40, 50),
)
