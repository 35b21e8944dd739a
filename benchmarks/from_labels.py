"""Label budgets of networks trained on the labels alone: `--model scratch:ARCH`."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar
from typing import Protocol as Interface

import numpy as np
import torch
from numpy.typing import NDArray

from lowlabel.benchmarks.protocols.label_budget import LabelBudget
from lowlabel.classification.budget import Draws, Learner
from lowlabel.classification.budget.learner import Tables, Values
from lowlabel.classification.metrics import decision_values, top_hits
from lowlabel.datasets import ImageSet, OpenDataset
from lowlabel.errors import InputError
from lowlabel.features import EmbeddedDataset
from lowlabel.features.embed import numbered_dataset
from lowlabel.features.embedded import Embedder

SCRATCH = "scratch:"


class Trainer(Interface):
    """Trains a network on labelled images; `lowlabel.training.from_labels` has one."""

    @property
    def spec(self) -> str:
        """The network with every option of its training."""

    @property
    def resolution(self) -> int:
        """Side of the images in pixels."""

    @property
    def preprocessing(self) -> dict[str, object]:
        """The preprocessing of test images."""

    def scores(
        self,
        train: ImageSet,
        classes: NDArray[np.int64],
        test: ImageSet,
        number: int,
        seed: int,
        device: torch.device,
    ) -> torch.Tensor:
        """Trains on images of `number` classes; scores of the test images [M, C]."""


MakeTrainer = Callable[[str], Trainer]


@dataclass(frozen=True, eq=False)
class FromLabels(Learner):
    """A network trained on the images of a draw.

    Its options are those of the model, which names them.

    Attributes:
        trainer: What trains it.
        train: Images that the draws are of.
        test: Images to score.
    """

    name: ClassVar[str] = "from-labels"

    trainer: Trainer
    train: ImageSet
    test: ImageSet

    @property
    def options(self) -> dict[str, Any]:
        """None."""
        return {}

    @property
    def spec(self) -> str:
        """The name."""
        return self.name

    def values(self, tables: Tables, draws: Draws, device: torch.device) -> Iterator[Values]:
        """Trains a network on each draw."""
        targets = torch.from_numpy(tables.targets).to(device)
        for number, rows in enumerate(draws.rows):
            scores = self.trainer.scores(
                self.train.only(rows.tolist()),
                tables.classes[rows],
                self.test,
                len(draws.sizes),
                tables.seed + number,
                device,
            )
            predicted = scores.argmax(1)
            yield decision_values(predicted, targets, top_hits(scores, targets, predicted))


def scratch_trainer(model: str, make: MakeTrainer | None) -> Trainer:
    """The trainer of a model `scratch:ARCH`.

    Raises:
        InputError: If nothing can train it.
    """
    if make is None:
        raise InputError(f"{model} needs a trainer", "Use lowlabel run --suite label-budget.")
    return make(model.removeprefix(SCRATCH))


def from_labels(
    protocol: LabelBudget, trainer: Trainer, opened: OpenDataset, name: str
) -> tuple[LabelBudget, EmbeddedDataset]:
    """The protocol with a network as its only method, and the images that it takes.

    Raises:
        InputError: If the images are cropped to boxes, which training does not do.
    """
    spec = SCRATCH + trainer.spec
    model = Embedder(name, spec, None, "", trainer.resolution, "float32", trainer.preprocessing)
    division = opened.division
    assert division.train_part is not None
    data = numbered_dataset(model, opened, (division.train_part, division.evaluated))
    train, test = data.images[division.train_part], data.images[division.evaluated]
    if train.boxes or test.boxes:
        raise InputError(
            f"{opened.name} crops images to boxes, and training takes whole images",
            f"Give --dataset {opened.dataset.name}:classification-split.",
        )
    return replace(protocol, method=(FromLabels(trainer, train, test),)), data


def named(model: str, label: str | None) -> str:
    """The name in tables of a network that is trained from labels."""
    return label or model.partition(",")[0]


def is_scratch(model: str) -> bool:
    """Whether a model is trained from labels."""
    return model.startswith(SCRATCH)


def check_scratch(models: Mapping[str, MakeTrainer | None], protocols: set[str]) -> None:
    """Checks the names of models that are trained from labels.

    Raises:
        UserError: If one is not known, or nothing is scored by label budgets.
    """
    for model, make in models.items():
        if LabelBudget.name not in protocols:
            raise InputError(
                f"{model} is trained on the labels of a budget, and nothing here has one",
                "Choose --suite label-budget.",
            )
        scratch_trainer(model, make)
