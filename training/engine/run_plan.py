"""What the engine asks of a run: pretraining and fine-tuning each have a plan."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Protocol

from lowlabel.datasets import ImageSet
from lowlabel.processes.world import World
from lowlabel.training.engine.batches import BatchOrder
from lowlabel.training.engine.options import RunOptions
from lowlabel.training.engine.step import TrainingStep
from lowlabel.training.views.recipe import ViewRecipe


class RunRecipe(Protocol):
    """What the recipes of pretraining and fine-tuning have in common."""

    @property
    def epochs(self) -> int:
        """Passes over the images."""

    @property
    def batch_size(self) -> int:
        """Images in an optimisation step, over all processes."""

    @property
    def seed(self) -> int:
        """Random seed of weights, order and views."""

    @property
    def options(self) -> Any:
        """Hyper-parameters, among them the `views`."""


class RunPlan(ABC):
    """A recipe on a set of images.

    Attributes:
        recipe: The recipe.
    """

    recipe: RunRecipe

    @property
    @abstractmethod
    def title(self) -> str:
        """What is trained on what, for the progress bar."""

    @property
    @abstractmethod
    def images(self) -> ImageSet:
        """The images that batches are made of."""

    @property
    def views(self) -> ViewRecipe:
        """How the views of an image are made."""
        views: ViewRecipe = self.recipe.options.views
        return views

    @property
    def epochs(self) -> int:
        """Passes over the images."""
        return self.recipe.epochs

    @property
    def batch_size(self) -> int:
        """Images in an optimisation step, over all processes."""
        return self.recipe.batch_size

    @property
    def seed(self) -> int:
        """Random seed of weights, order and views."""
        return self.recipe.seed

    @property
    def left_out(self) -> Mapping[str, int]:
        """Numbers of files beside the images that were not taken, by suffix."""
        return {}

    def order(self, rank: int = 0, ranks: int = 1, accumulate: int = 1) -> BatchOrder:
        """The order of the batches of one process."""
        return BatchOrder(len(self.images), self.batch_size, self.seed, rank, ranks, accumulate)

    @property
    def steps_per_epoch(self) -> int:
        """Optimisation steps in an epoch."""
        return len(self.images) // self.batch_size

    @property
    def steps(self) -> int:
        """Optimisation steps in the run."""
        return self.epochs * self.steps_per_epoch

    @abstractmethod
    def build_step(self, options: RunOptions, world: World) -> TrainingStep:
        """Makes the networks with their first weights, the optimiser and the step.

        Raises:
            InputError: If the options do not suit the plan.
        """

    @abstractmethod
    def fingerprint(self) -> dict[str, Any]:
        """Everything that a resumed run must share with its checkpoint, as plain data."""

    @abstractmethod
    def card(self) -> dict[str, Any]:
        """The first entries of the exported model's card, such as architecture and recipe."""
