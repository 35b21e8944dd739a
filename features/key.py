"""What a file of features was made from, as one hash."""

import hashlib
import re
from dataclasses import asdict, dataclass
from typing import Any

from lowlabel.datasets import ImageSet
from lowlabel.features.backbone import Backbone
from lowlabel.specs import canonical_json

EXTRACTOR_VERSION = 1


@dataclass(frozen=True)
class FeatureKey:
    """Everything that determines a table of features.

    Attributes:
        extractor: Version of the extraction; a change of the arithmetic raises it.
        model: What the model was loaded from.
        weights_sha256: Hash of its parameters.
        transform: The resolved preprocessing.
        pooling: From tokens to a vector.
        dtype: What the network computed in.
        dataset: Name and division.
        part: The part of the data set.
        manifest_sha256: Hash of the images' names, classes and sizes.
        version: Of images that the suite makes itself, which may differ under one manifest; 0 for
            all others.
    """

    extractor: int
    model: str
    weights_sha256: str
    transform: dict[str, Any]
    pooling: str
    dtype: str
    dataset: str
    part: str
    manifest_sha256: str
    version: int = 0

    @classmethod
    def of(cls, backbone: Backbone, images: ImageSet) -> "FeatureKey":
        """The key of one backbone on one image set."""
        return cls(
            EXTRACTOR_VERSION,
            backbone.spec,
            backbone.weights_sha256,
            asdict(backbone.transform),
            backbone.pooling,
            backbone.dtype,
            images.dataset,
            images.part,
            images.manifest_sha256,
            images.version,
        )

    def json(self) -> str:
        """The canonical JSON that stands in the file, where version 0 has no entry."""
        facts = asdict(self)
        if not self.version:
            del facts["version"]
        return canonical_json(facts)

    @property
    def digest(self) -> str:
        """sha256 of the JSON."""
        return hashlib.sha256(self.json().encode()).hexdigest()

    @property
    def file_name(self) -> str:
        """A readable name that the digest makes unique."""
        model, dataset = slug(self.model)[:80], slug(self.dataset)
        return f"{model}--{dataset}-{self.part}--{self.digest[:16]}.h5"


def slug(text: str) -> str:
    """`text` with only what is safe in a file's name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text)
