"""Files of the feature store as embeddings to learn from and to label."""

import numpy as np
import pytest

from lowlabel.datasets import open_dataset
from lowlabel.errors import InputError
from lowlabel.features import (
    FeatureKey,
    extract_features,
    feature_path,
    load_backbone,
    read_features_to_label,
)


def stored(spec, part, **options):
    """The file of the store with the embeddings of a part."""
    images, backbone = open_dataset(spec).load(part), load_backbone("pixels", **options)
    extract_features(backbone, images)
    return feature_path(FeatureKey.of(backbone, images)), images


def test_files_of_the_store_name_their_images(image_folder):
    spec = f"folder:{image_folder}"
    (known, _), (new, images) = stored(spec, "base"), stored(spec, "novel")
    found = read_features_to_label(known, new)
    assert found.new_paths == images.paths
    assert found.class_names == ("0", "1", "2")
    expected = extract_features(load_backbone("pixels"), images).features
    np.testing.assert_array_equal(found.new_features, expected)


def test_files_of_two_models_are_refused(image_folder):
    spec = f"folder:{image_folder}"
    (known, _), (new, _) = stored(spec, "base"), stored(spec, "novel", interpolation="bilinear")
    with pytest.raises(InputError, match="made with another transform than"):
        read_features_to_label(known, new)
