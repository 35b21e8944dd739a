"""Features of a tuned head from the stored features of its base model: no image is read."""

from dataclasses import replace

import torch

from lowlabel.features.backbone import Backbone, weights_sha256
from lowlabel.features.key import FeatureKey
from lowlabel.features.models.checkpoints.card import TUNED_HEAD
from lowlabel.features.models.embedding_head import EmbeddingEncoder
from lowlabel.features.partial_file import PartialFile
from lowlabel.features.store import feature_path
from lowlabel.features.store_file import StoreFile
from lowlabel.features.store_format import DONE
from lowlabel.features.transforms import ImageTransform


def from_base_features(file: PartialFile, backbone: Backbone) -> bool:
    """Applies a tuned head to its base model's features, if the store has them.

    Args:
        file: The new file.
        backbone: The model. Its backbone must have the weights that the card says.

    Returns:
        Whether the new file is finished.
    """
    base = _base_key(file.key, backbone)
    if base is None or not feature_path(base).is_file():
        return False
    encoder = backbone.encoder
    assert isinstance(encoder, EmbeddingEncoder)
    with StoreFile(feature_path(base), base) as stored, torch.inference_mode():
        for rows in file.pending():
            features = torch.from_numpy(stored.features(rows.start, rows.stop))
            embeddings = encoder.embedding_head(features.to(backbone.device)).cpu().numpy()
            file.write(rows.start, embeddings, stored.done[rows.start : rows.stop] != DONE)
    file.finish()
    return True


def _base_key(key: FeatureKey, backbone: Backbone) -> FeatureKey | None:
    """The key of the features that the head takes; None if they are not the base model's."""
    encoder, tuning = backbone.encoder, backbone.tuning
    if (
        not isinstance(encoder, EmbeddingEncoder)
        or tuning.get("tuned") != TUNED_HEAD
        or backbone.pooling != "head"
        or backbone.dtype != "float32"
        or not isinstance(backbone.transform, ImageTransform)
        or weights_sha256(encoder.backbone) != tuning["base_weights_sha256"]
    ):
        return None
    return replace(
        key,
        model=str(tuning["base_model"]),
        weights_sha256=str(tuning["base_weights_sha256"]),
        pooling=encoder.embedding_head.shape.input,
    )
