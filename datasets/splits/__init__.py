"""Class lists of published divisions and pretraining sets, one `NAME.csv` each."""

import csv
from importlib.resources import files

_SSL_VIT = {"ssl-vit-mini": "mini", "ssl-vit-tiered": "tiered"}  # column of ssl_vit.csv by list


def split_list(name: str) -> list[dict[str, str]]:
    """Reads `NAME.csv` of this folder, one dictionary per row."""
    text = (files("lowlabel.datasets.splits") / f"{name}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def imagenet_classes() -> list[str]:
    """The WordNet ids of ImageNet-1k's classes in alphabetical order, which numbers them."""
    return [row["wnid"] for row in split_list("imagenet")]


def class_list_names() -> list[str]:
    """Names of the class lists of published pretraining runs."""
    return [*_SSL_VIT]


def published_classes(name: str) -> list[str]:
    """The WordNet ids of one of `class_list_names`, in alphabetical order.

    "ssl-vit-mini" and "ssl-vit-tiered" are the 708 and 651 ImageNet classes that SSL-ViT pretrained
    on for mini-ImageNet and tiered-ImageNet (Bhattacharyya et al., ICASSP 2022, arXiv:2201.08951).
    """
    return [row["wnid"] for row in split_list("ssl_vit") if row[_SSL_VIT[name]] == "yes"]
