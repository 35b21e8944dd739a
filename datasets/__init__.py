"""Data sets: declarations, splits, checked preparation, and the built-in demo data."""

from lowlabel.datasets.base import Box, Counts, Dataset, ImageSet, LabelledPath, Scheme
from lowlabel.datasets.catalogue import (
    DATASETS,
    OpenDataset,
    find_dataset,
    is_present,
    open_dataset,
)
from lowlabel.datasets.prepare import prepare, prepared_folder, read_card

__all__ = [
    "DATASETS",
    "Box",
    "Counts",
    "Dataset",
    "ImageSet",
    "LabelledPath",
    "OpenDataset",
    "Scheme",
    "find_dataset",
    "is_present",
    "open_dataset",
    "prepare",
    "prepared_folder",
    "read_card",
]
