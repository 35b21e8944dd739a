"""Backbones, their preprocessing, the extraction of embeddings and their HDF5 store."""

from lowlabel.features.aliases import ALIASES
from lowlabel.features.backbone import Backbone, load_backbone
from lowlabel.features.extract import ExtractionOptions, extract_features
from lowlabel.features.key import FeatureKey
from lowlabel.features.store import cached_rows, feature_path
from lowlabel.features.table import EmbeddingTable, FeatureFile, load_feature_file

__all__ = [
    "ALIASES",
    "Backbone",
    "EmbeddingTable",
    "ExtractionOptions",
    "FeatureFile",
    "FeatureKey",
    "cached_rows",
    "extract_features",
    "feature_path",
    "load_backbone",
    "load_feature_file",
]
