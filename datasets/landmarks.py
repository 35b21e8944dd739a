"""Revisited Oxford and Paris, and their million distractors (Radenović et al., CVPR 2018).

arXiv:1803.11285. The layout is the one that the authors' code reads: `jpg/NAME.jpg` beside
`gnd_DATASET.pkl`, which lists the names of the gallery and the queries and, for each query, a box
and the rows of its easy, hard and junk images in the gallery. Two divisions are in use:
`revisitop` crops each query to its box; `dino-revisited` uses the whole picture, as DINO's
evaluation does.
"""

from functools import cache, partial
from pathlib import Path
from typing import Any

from lowlabel.datasets.base import Dataset, Division, GroundTruth
from lowlabel.datasets.images import Box, Counts, LabelledPath
from lowlabel.datasets.io.lists import read_lines
from lowlabel.datasets.io.pickles import read_pickle
from lowlabel.errors import DataError

LABELS = ("easy", "hard", "junk")
_NAMES = {"gallery": "imlist", "query": "qimlist"}
_REFETCH = "Fetch it again from http://cmp.felk.cvut.cz/revisitop."


def landmark_divisions(
    dataset: str, gallery: int, query: int, suffix: str = ".jpg"
) -> tuple[Division, ...]:
    """Declares the two divisions of a dataset in this layout.

    Args:
        dataset: The name in `gnd_DATASET.pkl`.
        gallery: Number of gallery images in the full dataset.
        query: Number of queries in the full dataset.
        suffix: Suffix of the image files.
    """
    return tuple(
        Division(
            name,
            ("gallery", "query"),
            partial(_read, dataset, suffix, cropped),
            {"gallery": Counts(gallery), "query": Counts(query)},
            kind="revisited",
            gallery="gallery",
            ground_truth=partial(_ground_truth, dataset),
        )
        for name, cropped in (("revisitop", True), ("dino-revisited", False))
    )


def _read(dataset: str, suffix: str, cropped: bool, root: Path, part: str) -> list[LabelledPath]:
    truth = _load(root / f"gnd_{dataset}.pkl")
    names: list[str] = truth[_NAMES[part]]
    present = {path.name for path in (root / "jpg").glob(f"*{suffix}")}
    absent = [name for name in names if name + suffix not in present]
    if absent:
        raise DataError(
            f"{len(absent):,} of the {len(names):,} {part} images in gnd_{dataset}.pkl are missing "
            f"in {root / 'jpg'}, the first is {absent[0]}{suffix}",
            "Put every image into that folder under its own name, without sub-folders.",
        )
    boxes: list[Box | None] = [None] * len(names)
    if cropped and part == "query":
        boxes = [tuple(map(float, entry["bbx"])) for entry in truth["gnd"]]  # type: ignore[misc]
    return [
        LabelledPath(f"jpg/{name}{suffix}", name.rpartition("_")[0], box)
        for name, box in zip(names, boxes, strict=True)
    ]


def _ground_truth(dataset: str, root: Path) -> GroundTruth:
    entries = _load(root / f"gnd_{dataset}.pkl")["gnd"]
    return [{label: list(entry[label]) for label in LABELS} for entry in entries]


@cache
def _load(path: Path) -> dict[str, Any]:
    """Reads a ground truth and checks its contents."""
    truth = read_pickle(path)
    try:
        images, entries = len(truth["imlist"]), truth["gnd"]
        wrong = [
            number
            for number, entry in enumerate(entries)
            if len(entry["bbx"]) != 4
            or not all(0 <= row < images for label in LABELS for row in entry[label])
        ]
        if wrong:
            raise DataError(
                f"{path} is not a ground truth: query {wrong[0]} has no box of four numbers, or "
                f"refers to an image outside its list of {images:,}",
                _REFETCH,
            )
        if len(entries) != len(truth["qimlist"]):
            raise DataError(
                f"{path} is not a ground truth: it judges {len(entries)} queries but names "
                f"{len(truth['qimlist'])}",
                _REFETCH,
            )
    except (KeyError, TypeError) as error:
        raise DataError(
            f"{path} is not a ground truth of a revisited dataset: {error!r}",
            "Expected imlist, qimlist and gnd, with bbx, easy, hard and junk for each query. "
            f"{_REFETCH}",
        ) from error
    return dict(truth)


def _landmarks(name: str, title: str, images: str, gallery: int) -> Dataset:
    return Dataset(
        name=name,
        title=title,
        licence="photographs from Flickr under their owners' terms; research use",
        source="Radenović et al., Revisiting Oxford and Paris, CVPR 2018, arXiv:1803.11285",
        obtain=(
            f"{images} as jpg/*.jpg and gnd_{name}.pkl beside it, "
            "both from http://cmp.felk.cvut.cz/revisitop"
        ),
        marker=f"gnd_{name}.pkl",
        divisions=landmark_divisions(name, gallery, 70),
    )


ROXFORD5K = _landmarks("roxford5k", "ROxford5k", "the 5,063 Oxford photographs", 4_993)
RPARIS6K = _landmarks("rparis6k", "RParis6k", "the 6,392 Paris photographs", 6_322)


def _distractors(root: Path, part: str) -> list[LabelledPath]:
    names = read_lines(root / "revisitop1m.txt", _REFETCH)
    return [LabelledPath(f"jpg/{name.strip()}", "distractor") for name in names]


REVISITOP1M = Dataset(
    name="revisitop1m",
    title="R1M",
    licence="photographs from Flickr (YFCC100M) under their owners' terms; research use",
    source="Radenović et al., Revisiting Oxford and Paris, CVPR 2018, arXiv:1803.11285",
    obtain="revisitop1m.{1..100}.tar.gz as jpg/ and revisitop1m.txt beside it, "
    "from http://cmp.felk.cvut.cz/revisitop",
    marker="revisitop1m.txt",
    divisions=(
        Division(
            "r1m",
            ("distractors",),
            _distractors,
            {"distractors": Counts(1_001_001)},
            kind="distractors",
        ),
    ),
)
