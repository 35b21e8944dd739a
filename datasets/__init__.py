"""Data sets: declarations, splits, checked preparation, and the built-in demo data."""

from lowlabel.datasets.base import (
    Counts,
    Dataset,
    GroundTruth,
    ImageSet,
    Kind,
    LabelledPath,
    Scheme,
)
from lowlabel.datasets.catalogue import (
    DATASETS,
    OpenDataset,
    find_dataset,
    is_present,
    open_dataset,
)
from lowlabel.datasets.prepare import prepare, prepared_folder

__all__ = [
    "DATASETS",
    "Counts",
    "Dataset",
    "GroundTruth",
    "ImageSet",
    "Kind",
    "LabelledPath",
    "OpenDataset",
    "Scheme",
    "find_dataset",
    "is_present",
    "open_dataset",
    "prepare",
    "prepared_folder",
]
