"""Asks models which base classes of a data set they would borrow from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lowlabel.analysis.base_classes import BaseClassChoices, typical_rows
from lowlabel.datasets import ImageSet, OpenDataset
from lowlabel.errors import InputError
from lowlabel.features import (
    EmbeddingTable,
    ExtractionOptions,
    extract_shown,
    load_backbone,
)
from lowlabel.fewshot import chosen_base_classes


@dataclass(frozen=True)
class Survey:
    """The answers of several models on one data set.

    Attributes:
        models: What each chose.
        examples: The path of a typical image of each class, by the class's name; as the first
            model sees it.
    """

    models: tuple[BaseClassChoices, ...]
    examples: dict[str, str]

    def spread(self, count: int) -> list[int]:
        """Places of at most `count` novel classes, evenly over all."""
        total = len(self.models[0].novel)
        places = np.linspace(0, total - 1, min(count, total)).round()
        return [int(place) for place in places]


def survey(
    models: Sequence[str],
    opened: OpenDataset,
    method: str,
    options: ExtractionOptions,
    device: str = "auto",
) -> Survey:
    """Extracts what is missing and asks each model.

    Args:
        models: Model specs.
        opened: A data set with base classes.
        method: "dc" or "dc-sslvit", with options.
        options: How to extract.
        device: Where the models and the arithmetic run.

    Raises:
        InputError: If the data set has no base classes.
    """
    if opened.division.train_part is None:
        raise InputError(
            f"{opened.name} has no base classes to choose from",
            "Take a data set with base and novel parts.",
        )
    parts = opened.load(opened.division.evaluated), opened.load(opened.division.train_part)
    choices: list[BaseClassChoices] = []
    examples: dict[str, str] = {}
    for spec in models:
        backbone = load_backbone(spec, device=device)
        novel, base = (extract_shown(backbone, images, options) for images in parts)
        chosen = chosen_base_classes(
            novel.features,
            novel.labels,
            base=(base.features, base.labels),
            method=method,
            device=device,
        )
        names = parts[0].class_names, parts[1].class_names
        choices.append(BaseClassChoices.count(backbone.name, chosen, novel.labels, *names))
        for images, table in zip(parts, (novel, base), strict=True):
            examples = _typical(images, table) | examples
    return Survey(tuple(choices), examples)


def _typical(images: ImageSet, table: EmbeddingTable) -> dict[str, str]:
    rows = typical_rows(table.features, table.labels)
    return {
        images.class_names[label]: str(images.root / images.paths[row])
        for label, row in rows.items()
    }
