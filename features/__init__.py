"""Backbones with their preprocessing, extraction of embeddings, and their HDF5 store."""

from lowlabel.features.backbone import Backbone, load_backbone
from lowlabel.features.cached import cached_rows
from lowlabel.features.earlier import Earlier
from lowlabel.features.embed import embed_dataset, embedded_file, file_division
from lowlabel.features.embedded import EmbeddedDataset
from lowlabel.features.extract import (
    extract_features,
    extract_shown,
    store_features,
    store_shown,
)
from lowlabel.features.extraction.options import ExtractionOptions
from lowlabel.features.extraction.wanted import store_dataset
from lowlabel.features.framing import Framing, known_framing
from lowlabel.features.key import FeatureKey
from lowlabel.features.made_elsewhere.feature_file import (
    FeatureFile,
    check_feature_file,
    load_feature_file,
)
from lowlabel.features.made_elsewhere.to_label import FeaturesToLabel, read_features_to_label
from lowlabel.features.models.aliases import ALIASES
from lowlabel.features.models.check import check_model, check_weights
from lowlabel.features.models.code.trust import trust_code
from lowlabel.features.models.patterns import expand_models
from lowlabel.features.options import BackboneOptions
from lowlabel.features.rankings.dataset import ranked_dataset
from lowlabel.features.rankings.file import RankingFile, read_ranking_file
from lowlabel.features.rankings.ranking import Ranking
from lowlabel.features.store import StoredRows, feature_path, read_features, stored_rows
from lowlabel.features.table import EmbeddingTable

__all__ = [
    "ALIASES",
    "Backbone",
    "BackboneOptions",
    "Earlier",
    "EmbeddedDataset",
    "EmbeddingTable",
    "ExtractionOptions",
    "FeatureFile",
    "FeatureKey",
    "FeaturesToLabel",
    "Framing",
    "Ranking",
    "RankingFile",
    "StoredRows",
    "cached_rows",
    "check_feature_file",
    "check_model",
    "check_weights",
    "embed_dataset",
    "embedded_file",
    "expand_models",
    "extract_features",
    "extract_shown",
    "feature_path",
    "file_division",
    "known_framing",
    "load_backbone",
    "load_feature_file",
    "ranked_dataset",
    "read_features",
    "read_features_to_label",
    "read_ranking_file",
    "store_dataset",
    "store_features",
    "store_shown",
    "stored_rows",
    "trust_code",
]
