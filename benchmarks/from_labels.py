"""Label budgets of networks trained on the labels alone: `--model scratch:ARCH`."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self
from typing import Protocol as Interface

import numpy as np
import torch
from numpy.typing import NDArray

from lowlabel.classification.budget import Draws, DrawState, Learner
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

    @classmethod
    def on(cls, trainer: Trainer, opened: OpenDataset, train: str, test: str) -> Self:
        """The network on two parts of a dataset.

        Raises:
            InputError: If images are cropped to boxes, which training does not do.
        """
        found = cls(trainer, opened.load(train), opened.load(test))
        if found.train.boxes or found.test.boxes:
            raise InputError(
                f"{opened.name} crops images to boxes, and training takes whole images",
                f"Give --dataset {opened.dataset.name}:classification-split.",
            )
        return found

    @property
    def options(self) -> dict[str, Any]:
        """None."""
        return {}

    @property
    def spec(self) -> str:
        """The name."""
        return self.name

    def values(
        self, tables: Tables, draws: Draws, device: torch.device, state: DrawState
    ) -> Iterator[Values]:
        """Trains a network on each draw."""
        targets = torch.from_numpy(tables.targets).to(device)
        for number, rows in state.left(draws):
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


def image_rows(trainer: Trainer, opened: OpenDataset, name: str) -> EmbeddedDataset:
    """The images that a network learns from and is scored on, by their rows.

    Args:
        trainer: What trains the network.
        opened: The dataset.
        name: The network's name in tables.
    """
    spec = SCRATCH + trainer.spec
    model = Embedder(name, spec, None, "", trainer.resolution, "float32", trainer.preprocessing)
    division = opened.division
    parts = filter(None, (division.train_part, division.evaluated))
    return numbered_dataset(model, opened, tuple(parts))


def named(model: str, label: str | None) -> str:
    """The name in tables of a network that is trained from labels."""
    return label or model.partition(",")[0]


def is_scratch(model: str) -> bool:
    """Whether a model is trained from labels."""
    return model.startswith(SCRATCH)


def scratch_trainers(models: Sequence[str], make: MakeTrainer | None) -> dict[str, Trainer]:
    """The trainer of each model `scratch:ARCH`; other models have none.

    Raises:
        UserError: If a network is not known, or nothing can train it.
    """
    scratch = [model for model in models if is_scratch(model)]
    if scratch and make is None:
        raise InputError(f"{scratch[0]} needs a trainer", "Use lowlabel run --suite label-budget.")
    return {model: make(model.removeprefix(SCRATCH)) for model in scratch if make}
