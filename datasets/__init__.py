"""Datasets: declarations, divisions, checked preparation and the built-in demo data."""

from lowlabel.datasets.base import Dataset, Division, GroundTruth, Kind
from lowlabel.datasets.catalogue import (
    DATASETS,
    OpenDataset,
    find_dataset,
    is_own,
    is_present,
    open_dataset,
)
from lowlabel.datasets.counts import Partial
from lowlabel.datasets.images import (
    CONTENT,
    Box,
    Counts,
    ImageSet,
    LabelledPath,
    Manifest,
)
from lowlabel.datasets.io.contents import unreadable
from lowlabel.datasets.prepare import prepare, prepared_folder, read_card
from lowlabel.datasets.pretraining import IMAGENET, check_pretraining, classes_seen

__all__ = [
    "CONTENT",
    "DATASETS",
    "IMAGENET",
    "Box",
    "Counts",
    "Dataset",
    "Division",
    "GroundTruth",
    "ImageSet",
    "Kind",
    "LabelledPath",
    "Manifest",
    "OpenDataset",
    "Partial",
    "check_pretraining",
    "classes_seen",
    "find_dataset",
    "is_own",
    "is_present",
    "open_dataset",
    "prepare",
    "prepared_folder",
    "read_card",
    "unreadable",
]
