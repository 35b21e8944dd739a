"""Class lists of published divisions and pretraining sets, one `NAME.csv` each."""

import csv
from importlib.resources import files


def split_list(name: str) -> list[dict[str, str]]:
    """Reads `NAME.csv` of this folder, one dictionary per row."""
    text = (files("lowlabel.datasets.splits") / f"{name}.csv").read_text()
    return list(csv.DictReader(text.splitlines()))


def imagenet_classes() -> list[str]:
    """The WordNet ids of ImageNet-1k's classes in alphabetical order, which numbers them."""
    return [row["wnid"] for row in split_list("imagenet")]
