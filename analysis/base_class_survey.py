"""The base classes that several models would borrow from, on one dataset."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch

from lowlabel.analysis.base_classes import BaseClassChoices, typical_rows
from lowlabel.analysis.retrieved import Collection
from lowlabel.errors import InputError
from lowlabel.features import EmbeddedDataset
from lowlabel.fewshot import chosen_base_classes


@dataclass(frozen=True)
class Survey:
    """The choices of several models on one dataset.

    Attributes:
        models: The choices of each model.
        examples: Path of a typical image of each class by the class's name, according to the
            first model.
    """

    models: tuple[BaseClassChoices, ...]
    examples: dict[str, str]

    def spread(self, count: int) -> list[int]:
        """Indices of at most `count` novel classes, evenly spread over all."""
        total = len(self.models[0].novel)
        indices = np.linspace(0, total - 1, min(count, total)).round()
        return [int(index) for index in indices]


def survey(
    datasets: Iterable[EmbeddedDataset], method: str, device: str | torch.device = "auto"
) -> Survey:
    """Collects the base classes that Distribution Calibration chooses with each model.

    Args:
        datasets: One dataset with base classes, embedded by each model.
        method: "dc" or "dc-sslvit", with options.
        device: Device to compute on.

    Raises:
        InputError: If a dataset has no embeddings of base classes.
    """
    choices: list[BaseClassChoices] = []
    examples: dict[str, str] = {}
    for data in datasets:
        choices.append(_choices(data, method, device))
        examples = _typical_images(data) | examples
    return Survey(tuple(choices), examples)


def _choices(data: EmbeddedDataset, method: str, device: str | torch.device) -> BaseClassChoices:
    novel, base = data.evaluated, data.train
    if base is None:
        raise InputError(f"{data.name} has no base classes", "Give a dataset with a base part.")
    chosen = chosen_base_classes(
        novel.features,
        novel.labels,
        base=(base.features, base.labels),
        method=method,
        device=device,
    )
    classes, labels = np.unique(novel.labels, return_inverse=True)
    base_classes = np.unique(base.labels)
    return BaseClassChoices.count(
        data.embedder.name,
        np.searchsorted(base_classes, chosen),
        labels,
        tuple(data.class_names[label] for label in classes),
        tuple(data.class_names[label] for label in base_classes),
    )


def _typical_images(data: EmbeddedDataset) -> dict[str, str]:
    """Path of the image nearest to the mean of its class, by the name of the class."""
    examples: dict[str, str] = {}
    for part, table in data.tables.items():
        images = Collection.of(data.images[part], table)
        for label, row in typical_rows(table.features, table.labels).items():
            examples[data.class_names[label]] = str(images.root / images.paths[row])
    return examples
