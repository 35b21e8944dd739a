"""Counts the scored classes that a model has seen in pretraining, where class lists are known."""

from lowlabel.datasets.images import ImageSet
from lowlabel.datasets.splits import split_list
from lowlabel.errors import UnknownNameError

IMAGENET = "imagenet-1k"
_SSL_VIT = {"ssl-vit-mini": "mini", "ssl-vit-tiered": "tiered"}
PRETRAINING_SETS = (IMAGENET, *_SSL_VIT)
_DIVISIONS = {"mini-imagenet:ravi": "mini_imagenet", "tiered-imagenet:ren": "tiered_imagenet"}


def classes_seen(images: ImageSet, pretraining: str) -> str | None:
    """Reports how many classes of an image set are among those of a pretraining set.

    The SSL-ViT lists (Bhattacharyya et al., ICASSP 2022, arXiv:2201.08951) are the ImageNet classes
    that its two checkpoints were trained on: the one for mini-ImageNet has seen most novel classes
    of tiered-ImageNet, and vice versa.

    Args:
        images: A part of a dataset.
        pretraining: "imagenet-1k", "ssl-vit-mini" or "ssl-vit-tiered".

    Returns:
        A sentence for the record; None if no class is known to have been seen.

    Raises:
        UnknownNameError: If there is no such pretraining set.
    """
    check_pretraining(pretraining)
    if images.dataset not in _DIVISIONS:
        return None
    rows = split_list(_DIVISIONS[images.dataset])
    classes = {row["wnid"] for row in rows if row["part"] == images.part}
    seen = classes if pretraining == IMAGENET else classes & _ssl_vit(_SSL_VIT[pretraining])
    if not seen:
        return None
    return f"pretrained on {pretraining}: {len(seen)} of the {len(classes)} {images.part} classes"


def check_pretraining(name: str) -> None:
    """Raises an `UnknownNameError` unless there is a pretraining set of that name."""
    if name not in PRETRAINING_SETS:
        raise UnknownNameError("pretraining set", name, PRETRAINING_SETS)


def _ssl_vit(column: str) -> set[str]:
    return {row["wnid"] for row in split_list("ssl_vit") if row[column] == "yes"}
