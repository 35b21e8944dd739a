"""What `lowlabel predict` learns from and labels: images, or embeddings made elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lowlabel.datasets import ImageSet, OpenDataset
    from lowlabel.datasets.sources.unlabelled import Unlabelled
    from lowlabel.features import Backbone, EmbeddingTable, ExtractionOptions


@dataclass(frozen=True, eq=False)
class Given:
    """Embeddings of labelled images and of others.

    Attributes:
        known: Embeddings to learn from; labels number `class_names`.
        class_names: Names of the classes.
        new: Embeddings to label.
        column: What `names` are: "path" or "row".
        names: One for each of `new`.
        facts: What the JSON file says of both.
    """

    known: "EmbeddingTable"
    class_names: Sequence[str]
    new: "NDArray[np.float32]"
    column: str
    names: Sequence[str | int]
    facts: dict[str, Any]


def given_images(
    unlabelled: "Unlabelled",
    opened: "OpenDataset",
    part: str,
    backbone: "Backbone",
    extraction: "ExtractionOptions",
) -> Given:
    """Embeds labelled images of a dataset and others, and says what is left out of both.

    Args:
        unlabelled: The images to label.
        opened: The dataset of the labelled ones.
        part: Its part to learn from.
        backbone: The model.
        extraction: How to extract.
    """
    from lowlabel.cli.predict.messages import say_labelled, say_unlabelled
    from lowlabel.cli.predict.zeros import refuse_zero_labelled
    from lowlabel.features import extract_shown

    labelled = opened.load(part)
    known = _labelled(backbone, labelled, extraction)
    say_labelled(opened, labelled, known)
    bad_known = set(known.bad_images)
    read = [path for path in labelled.paths if path not in bad_known]
    refuse_zero_labelled(known.features, "path", read)
    new = extract_shown(backbone, unlabelled.images, extraction)
    say_unlabelled(unlabelled, labelled, new)
    bad = set(new.bad_images)
    named = zip(unlabelled.names, unlabelled.images.paths, strict=True)
    facts = {
        "model": backbone.spec,
        "weights_sha256": backbone.weights_sha256,
        "labelled": _facts(labelled, known),
        "unlabelled": _facts(unlabelled.images, new),
    }
    names = [name for name, path in named if path not in bad]
    return Given(known, labelled.class_names, new.features, "path", names, facts)


def given_features(path: Path, new: Path | None, key: str | None) -> Given:
    """Reads embeddings made elsewhere, and says what they are.

    Args:
        path: The file of those to learn from.
        new: That of those to label; None for the same.
        key: Names of the arrays, as `--features-key` has them.
    """
    from lowlabel.cli.predict.messages import say_features
    from lowlabel.cli.predict.zeros import refuse_zero_labelled
    from lowlabel.features import read_features_to_label
    from lowlabel.features.made_elsewhere.feature_file import ArrayNames

    names = ArrayNames.parse(key) if key is not None else None
    found = read_features_to_label(path, new, names)
    say_features(found)
    known = found.labelled
    refuse_zero_labelled(known.features, "row", range(len(known.labels)))
    files = {
        kind: {"features": str(file), "number": number, "sha256": digest}
        for kind, number, (file, digest) in zip(
            ("labelled", "unlabelled"),
            (len(known.labels), len(found.new_features)),
            (found.files[0], found.files[-1]),
            strict=True,
        )
    }
    column = "path" if found.new_paths else "row"
    of_rows = found.new_paths or range(len(found.new_features))
    return Given(known, found.class_names, found.new_features, column, of_rows, files)


def _labelled(
    backbone: "Backbone", images: "ImageSet", extraction: "ExtractionOptions"
) -> "EmbeddingTable":
    """Labelled embeddings, with the group of each if images have groups."""
    from dataclasses import replace

    import numpy as np

    from lowlabel.datasets.tables.groups import group_numbers
    from lowlabel.features import extract_shown

    table = extract_shown(backbone, images, extraction)
    groups = group_numbers({images.part: images}).get(images.part)
    if groups is not None and table.bad_images:
        groups = groups[~np.isin(images.paths, table.bad_images)]
    return replace(table, groups=groups)


def _facts(images: "ImageSet", table: "EmbeddingTable") -> dict[str, Any]:
    return {
        "images": f"{images.dataset} {images.part}",
        "number": len(table.features),
        "manifest_sha256": images.manifest_sha256,
        "feature_key": table.key,
        "bad_images": list(table.bad_images),
    }
