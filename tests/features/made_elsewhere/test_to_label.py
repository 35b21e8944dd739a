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

NEW = np.eye(4, dtype=np.float32)


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


def test_embeddings_without_a_group_are_alone(tmp_path):
    groups = np.array(["b", "", "b", " "])
    np.savez(tmp_path / "a.npz", features=NEW, labels=[0, 0, 1, 1], new_features=NEW, groups=groups)
    found = read_features_to_label(tmp_path / "a.npz").labelled.groups
    assert found is not None
    assert found[0] == found[2] and len({*found.tolist()}) == 3


def test_shared_embeddings_are_counted_across_precisions(tmp_path):
    known = NEW.astype(np.float64) / 3
    new = known.astype(np.float32)
    known[:2] = new[:2]
    np.savez(tmp_path / "a.npz", features=known, labels=[0, 0, 1, 1], new_features=new)
    assert read_features_to_label(tmp_path / "a.npz").among_labelled == 2
