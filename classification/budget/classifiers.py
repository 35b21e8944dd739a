"""Classifiers that take labels of any number: k-NN and the linear probe."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from lowlabel.classification.budget.draw_state import DrawState
from lowlabel.classification.budget.draws import Draws
from lowlabel.classification.budget.learner import Learner, Tables, Values
from lowlabel.classification.knn import evaluate_knn, knn_votes
from lowlabel.classification.linear import evaluate_linear
from lowlabel.classification.probe.recipe import LinearRecipe, known_recipe
from lowlabel.errors import InputError


@dataclass(frozen=True)
class Neighbours(Learner):
    """Weighted k-NN, as `evaluate_knn`, with at most as many neighbours as a class has labels.

    Attributes:
        k: Number of neighbours; the labels of the largest class where they are fewer.
        temperature: Temperature of the votes.
    """

    name: ClassVar[str] = "knn"

    k: int = 20
    temperature: float = 0.07

    def __post_init__(self) -> None:
        self.require_positive("k")
        self.require_positive("temperature")

    @property
    def iterated(self) -> bool:
        """Neighbours are counted."""
        return False

    def replaced(self, draws: Draws) -> Mapping[str, int]:
        """The number of neighbours, where it is smaller."""
        most = max(draws.sizes)
        return {"neighbours": most} if most < self.k else {}

    def values(
        self, tables: Tables, draws: Draws, device: torch.device, state: DrawState
    ) -> Iterator[Values]:
        """Every labelled image may vote."""
        k = self.replaced(draws).get("neighbours", self.k)
        for _, rows in state.left(draws):
            result = evaluate_knn(
                tables.train,
                tables.classes,
                tables.test,
                tables.targets,
                rows=rows,
                k=k,
                temperature=self.temperature,
                all_metrics=True,
                probabilistic=False,
                device=device,
            )
            yield dict(result.values[k])

    def scores(
        self, tables: Tables, draws: Draws, device: torch.device
    ) -> Iterator[Iterator[Tensor]]:
        """Yields, for each draw, the votes for each class of the next test images, [q, C]."""
        for rows in draws.rows:
            yield knn_votes(
                (tables.train, tables.classes),
                tables.test,
                len(draws.sizes),
                rows=rows,
                k=min(self.replaced(draws).get("neighbours", self.k), draws.labelled),
                temperature=self.temperature,
                device=device,
            )


@dataclass(frozen=True)
class LinearProbe(Learner):
    """Linear classifier that SGD trains on the drawn images, as `evaluate_linear`.

    It takes the embeddings as they are, and a recipe with several learning rates chooses one on a
    tenth of the drawn images.

    Attributes:
        recipe: Name in `lowlabel.classification.RECIPES`.
        learning_rate: Rate for a batch of 256 images, for recipes of one rate; 0 for the recipe's.
        epochs: Passes over the drawn images, for recipes by epochs; 0 for the recipe's.
        iterations: Number of batches, for recipes by batches.
    """

    name: ClassVar[str] = "linear-cached"

    recipe: str = "dino"
    learning_rate: float = 0.0
    epochs: int = 0
    iterations: int = 1250

    def __post_init__(self) -> None:
        known = known_recipe(self.recipe)
        self._resolved()  # checks the options
        if self.learning_rate and len(known.learning_rates) > 1:
            raise InputError(f"learning_rate means nothing to recipe={self.recipe} of {self.name}")
        if self.epochs and known.iterations is not None:
            raise InputError(f"epochs means nothing to recipe={self.recipe} of {self.name}")

    def reason_against(self, tables: Tables, draws: Draws) -> str:
        """A learning rate cannot be chosen on images of classes that have one."""
        if len(self._resolved().learning_rates) == 1 or max(draws.sizes) > 1:
            return ""
        return "it chooses the learning rate on a tenth of each class, and no class has two labels"

    def values(
        self, tables: Tables, draws: Draws, device: torch.device, state: DrawState
    ) -> Iterator[Values]:
        """Trains on each draw."""
        for _, rows in state.left(draws):
            result = evaluate_linear(
                tables.train,
                tables.classes,
                tables.test,
                tables.targets,
                rows=rows,
                recipe=self._resolved(),
                seed=tables.seed,
                probabilistic=False,
                device=device,
                unfinished=state.training(),
            )
            yield dict(result.values)

    def _resolved(self) -> LinearRecipe:
        recipe = known_recipe(self.recipe)
        rates = (self.learning_rate,) if self.learning_rate else recipe.learning_rates
        by_batches = recipe.iterations is not None
        return replace(
            recipe,
            learning_rates=rates,
            epochs=self.epochs or recipe.epochs,
            iterations=self.iterations if by_batches else None,
        )
