"""The key of a feature file: everything that determines its features, as one hash."""

import hashlib
import re
from dataclasses import asdict, dataclass, replace
from typing import Any

from lowlabel.datasets import CONTENT, ImageSet
from lowlabel.features.backbone import Backbone
from lowlabel.fields import encode
from lowlabel.paths import short_name
from lowlabel.specs import canonical_json

EXTRACTOR_VERSION = 1
DEEP_EXTRACTOR_VERSION = 2  # of sets with images of more than 8 bits per channel


@dataclass(frozen=True)
class FeatureKey:
    """Everything that determines a table of features.

    Attributes:
        extractor: Version of the extraction; raised if its arithmetic changes.
        model: Canonical name of the model.
        weights_sha256: Hash of the model's parameters and buffers.
        transform: The resolved preprocessing.
        pooling: How tokens are pooled to one vector.
        dtype: Data type that the network computes in.
        dataset: Name of the dataset with its division.
        part: Part of the dataset.
        manifest_sha256: Hash of the images' names, classes, contents and boxes.
        version: Version of images that lowlabel draws itself, which may differ under one manifest;
            0 for all others.
        manifest: What the manifest knows files by: "content", or "" for their size.
        positions: See `Backbone`.
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
    manifest: str = CONTENT
    positions: str = ""

    @classmethod
    def of(cls, backbone: Backbone, images: ImageSet) -> "FeatureKey":
        """Builds the key of a backbone's features of an image set."""
        manifest = images.manifest
        return cls(
            DEEP_EXTRACTOR_VERSION if manifest.deep else EXTRACTOR_VERSION,
            backbone.spec,
            backbone.weights_sha256,
            encode(backbone.transform),
            backbone.pooling,
            backbone.dtype,
            images.dataset,
            images.part,
            manifest.sha256,
            images.version,
            positions=backbone.positions,
        )

    def earlier(self, images: ImageSet) -> "FeatureKey":
        """The key that an earlier version gave the same features, by the sizes of files."""
        by_size = images.manifest.by_size
        return replace(self, extractor=EXTRACTOR_VERSION, manifest_sha256=by_size, manifest="")

    def json(self) -> str:
        """Returns the canonical JSON that the file holds; empty fields are left out."""
        facts = asdict(self)
        for name in ("version", "manifest", "positions"):
            if not facts[name]:
                del facts[name]
        return canonical_json(facts)

    @property
    def digest(self) -> str:
        """SHA-256 of the JSON."""
        return hashlib.sha256(self.json().encode()).hexdigest()

    @property
    def file_name(self) -> str:
        """Readable file name, unique by the digest."""
        model, dataset = slug(self.model)[:80], short_name(slug(self.dataset))
        return f"{model}--{dataset}-{self.part}--{self.digest[:16]}.h5"


def slug(text: str) -> str:
    """Replaces the characters of `text` that are not safe in a file name, and cuts a long one."""
    return short_name(re.sub(r"[^A-Za-z0-9._-]+", "-", text), 180)
