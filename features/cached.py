"""How much of a run's features the store has, for plans: no image is read."""

from collections.abc import Callable

from lowlabel.datasets import CONTENT, ImageSet
from lowlabel.features.backbone import Backbone
from lowlabel.features.key import FeatureKey
from lowlabel.features.models.libraries.catalogue import LIBRARIES
from lowlabel.features.models.sources import published_spec
from lowlabel.features.store import stored_keys
from lowlabel.specs import canonical_json


def cached_rows(model: str, images: ImageSet, load: Callable[[], Backbone]) -> int | None:
    """Counts the stored features of images by a model.

    Args:
        model: The model's name, as `load_backbone` takes it.
        images: The images.
        load: Loads the model. It is called only if the store may have its features and its name
            does not tell, as it does for published weights.

    Returns:
        Number of rows; None if images have to be hashed first.
    """
    manifest = images.known_manifest
    if manifest is None:
        return None
    kind, spec = model.partition(":")[0], published_spec(model)
    alike = [
        (key, rows)
        for key, rows in stored_keys(images.dataset, images.part)
        if (key["manifest_sha256"], key.get("manifest")) == (manifest.sha256, CONTENT)
    ]
    if spec:
        return max((rows for key, rows in alike if key["model"] == spec), default=0)
    if kind in ("hub", "random", *LIBRARIES):
        alike = [(key, rows) for key, rows in alike if key["model"].startswith(f"{kind}:")]
    if not alike:
        return 0
    wanted = FeatureKey.of(load(), images).json()
    return next((rows for key, rows in alike if canonical_json(key) == wanted), 0)
