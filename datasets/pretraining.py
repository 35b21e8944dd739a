"""Counts the scored classes that a model has seen in pretraining, where class lists are known."""

from collections.abc import Collection

from lowlabel.datasets.imagenet.folders import wnid_in
from lowlabel.datasets.images import ImageSet
from lowlabel.datasets.splits import (
    class_list_names,
    imagenet_classes,
    published_classes,
    split_list,
)
from lowlabel.errors import UnknownNameError

IMAGENET = "imagenet-1k"
PRETRAINING_SETS = (IMAGENET, *class_list_names())
_DIVISIONS = {"mini-imagenet:ravi": "mini_imagenet", "tiered-imagenet:ren": "tiered_imagenet"}
_BY_WNID = ("mini-imagenet:", "tiered-imagenet:", "tiny-imagenet:")  # subsets by class lists, too


def classes_seen(images: ImageSet, pretraining: str) -> str | None:
    """Reports how many classes of an image set are among those of a pretraining set.

    The SSL-ViT lists (Bhattacharyya et al., ICASSP 2022, arXiv:2201.08951) are the ImageNet classes
    that its two checkpoints were trained on: the one for mini-ImageNet has seen most novel classes
    of tiered-ImageNet, and vice versa. ImageNet-1k itself is not reported: to pretrain on its train
    images and to score on its validation images is the protocol.

    Args:
        images: A part of a dataset.
        pretraining: "imagenet-1k", "ssl-vit-mini" or "ssl-vit-tiered".

    Returns:
        A sentence for the record; None if no class is known to have been seen.

    Raises:
        UnknownNameError: If there is no such pretraining set.
    """
    check_pretraining(pretraining)
    classes = _scored(images)
    by_list = imagenet_classes() if pretraining == IMAGENET else published_classes(pretraining)
    seen = classes & {*by_list}
    if not seen:
        return None
    return f"pretrained on {pretraining}: {len(seen)} of the {len(classes)} {images.part} classes"


def pretraining_set(dataset: str, classes: Collection[str]) -> str | None:
    """Names the pretraining set that a run's images are.

    Args:
        dataset: The dataset, as `ImageSet.dataset`.
        classes: The classes that it is restricted to; empty for all.

    Returns:
        One of `PRETRAINING_SETS`; None if they are none of these.
    """
    if not classes:
        return IMAGENET if dataset.partition(":")[0] == "imagenet" else None
    listed = {*classes}
    return next((name for name in class_list_names() if listed == {*published_classes(name)}), None)


def _scored(images: ImageSet) -> set[str]:
    """The WordNet ids of the classes of a part; empty for datasets that are none of ImageNet."""
    if images.dataset in _DIVISIONS:
        rows = split_list(_DIVISIONS[images.dataset])
        return {row["wnid"] for row in rows if row["part"] == images.part}
    by_wnid = images.dataset.startswith(_BY_WNID)
    return {name for name in images.class_names if by_wnid and wnid_in(name) == name}


def check_pretraining(name: str) -> None:
    """Raises an `UnknownNameError` unless there is a pretraining set of that name."""
    if name not in PRETRAINING_SETS:
        raise UnknownNameError("pretraining set", name, PRETRAINING_SETS)
