"""What a record says of the evaluated images."""

from collections.abc import Sequence

import numpy as np

from lowlabel.datasets.tables.groups import groups_sha256
from lowlabel.datasets.tables.labels import label_names
from lowlabel.features import EmbeddedDataset
from lowlabel.results import Counts, DatasetInfo, Partial, Without


def dataset_info(data: EmbeddedDataset, parts: Sequence[str | None]) -> DatasetInfo:
    """Describes the images of embeddings.

    Args:
        data: The embeddings.
        parts: The parts that the score depends on.
    """
    return DatasetInfo(
        name=data.name,
        title=data.title,
        split=data.evaluated_part,
        scheme=data.division,
        manifest_sha256=data.manifest_sha256,
        images=len(data.evaluated.labels),
        classes=_classes(data),
        partial=tuple(Partial(p.part, Counts(*p.found), Counts(*p.expected)) for p in data.partial),
        bad_images=len(data.evaluated.bad_images),
        manifest=data.manifest,
        without=_without(data, parts),
        path=data.path,
        min_images=data.min_images,
        small_classes={
            name: count
            for part in parts
            for name, count in data.small_classes.get(part or "", {}).items()
        },
        declared=data.declared,
        groups=groups_sha256(
            {part: data.tables[part].groups for part in parts if part and part in data.tables}
        ),
    )


def _classes(data: EmbeddedDataset) -> int:
    """Number of classes, or of labels where images have several."""
    found = np.unique(data.evaluated.labels)
    return len(label_names([data.class_names[c] for c in found]) if data.several_labels else found)


def _without(data: EmbeddedDataset, parts: Sequence[str | None]) -> Without | None:
    """What was left out of the parts that a score depends on."""
    if data.without is None:
        return None
    counts = {part: count for part, count in data.without.counts.items() if part in parts}
    return Without(**vars(data.without) | {"counts": counts})
