"""A grid of linear heads: every input with every learning rate, trained in one pass."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lowlabel.classification.probe.heads import Head, LinearHeads
from lowlabel.classification.probe.losses import CROSS_ENTROPY, HeadLoss, block_rows
from lowlabel.classification.probe.recipe import LinearRecipe
from lowlabel.classification.probe.resume import Resume
from lowlabel.classification.rows import Rows
from lowlabel.errors import InputError
from lowlabel.progress import Progress
from lowlabel.specs import Option, format_spec


@dataclass(frozen=True)
class LinearGrid:
    """What is trained.

    Attributes:
        recipe: Learning rates, batches and length of the training.
        columns: The inputs by name, each a range of columns of the features.
        classes: Number of classes.
        seed: Random seed of batches and first weights.
        device: Device to compute on.
        loss: What is minimised, and what heads are chosen by.
    """

    recipe: LinearRecipe
    columns: Mapping[str, slice]
    classes: int
    seed: int
    device: torch.device
    loss: HeadLoss = CROSS_ENTROPY

    @property
    def heads(self) -> list[Head]:
        """Input and learning rate of each head, in the order of the choice."""
        return [(name, rate) for name in self.columns for rate in self.recipe.learning_rates]

    def spec(self, head: Head) -> str:
        """Such as "linear,input=cls@4,learning_rate=0.001"; a single input is not named."""
        named: dict[str, Option] = {"input": head[0]} if len(self.columns) > 1 else {}
        return format_spec("linear", {**named, "learning_rate": head[1]})

    def only(self, head: Head) -> "LinearGrid":
        """One head of the grid."""
        name, rate = head
        recipe = replace(self.recipe, learning_rates=(rate,))
        return replace(self, recipe=recipe, columns={name: self.columns[name]})

    def train(
        self,
        tables: Sequence[Tensor],
        targets: Tensor,
        images: Tensor,
        progress: Progress | None = None,
        unfinished: Resume | None = None,
    ) -> list[LinearHeads]:
        """Trains all heads on the same batches.

        Args:
            tables: Features [N, D], one table for each view; epochs take them in turn.
            targets: What the loss takes of each image, [N] or [N, C].
            images: Rows to learn from, int64.
            progress: Called with (steps done, steps).
            unfinished: Where the state is kept, and the state to go on from.

        Returns:
            The heads of each input.
        """
        recipe, inputs = self.recipe, self.columns.values()
        rates = [rate * recipe.scale for rate in recipe.learning_rates]
        trained = [
            LinearHeads(
                part.stop - part.start, self.classes, rates, self.seed, self.device, self.loss
            )
            for part in inputs
        ]
        first = min(part.start for part in inputs)
        used = slice(first, max(part.stop for part in inputs))
        steps, begun = recipe.count(len(images)), 0
        if unfinished is not None:
            begun = unfinished.restore(trained)
        batches = islice(recipe.steps(len(images), self.seed), begun, None)
        for done, step in enumerate(batches, begun + 1):
            rows = images[torch.from_numpy(step.rows).to(self.device)]
            batch, own = tables[step.epoch % len(tables)][rows, used], targets[rows]
            for heads, part in zip(trained, inputs, strict=True):
                shown = batch[:, part.start - first : part.stop - first]
                heads.step(shown, own, step.share)
            if unfinished is not None and done < steps:
                unfinished.keep(done, trained)
            if progress is not None:
                progress(done, steps)
        return trained

    def qualities(
        self, trained: Sequence[LinearHeads], features: Rows, targets: Tensor
    ) -> list[float | None]:
        """How good each head is, in percent; None for one whose weights are not finite."""
        found: list[float | None] = []
        for heads, part in zip(trained, self.columns.values(), strict=True):
            shares = self.loss.qualities(heads, features, part, self.classes, targets)
            finite = heads.finite().tolist()
            found += [share if good else None for share, good in zip(shares, finite, strict=True)]
        return found

    def probabilities(self, trained: Sequence[LinearHeads], head: Head, features: Tensor) -> Tensor:
        """Probabilities [M, C] of one head.

        Raises:
            InputError: If its weights or its scores are not finite.
        """
        heads, place = self._of(trained, head)
        found = torch.empty(len(features), self.classes, device=self.device)
        for rows, block in Rows(features).blocks(block_rows(heads.count * self.classes)):
            scores = heads.scores(block[:, self.columns[head[0]]])[:, place]
            found[rows] = torch.softmax(scores, dim=1)
        if not (heads.finite()[place] and found.isfinite().all()):
            raise self.diverged()
        return found

    def scores(
        self,
        trained: Sequence[LinearHeads],
        head: Head,
        features: Tensor,
        classes: NDArray[np.int64],
    ) -> NDArray[np.float64]:
        """Scores [M, classes] of one head for some classes, computed in float64.

        Raises:
            InputError: If its weights are not finite.
        """
        heads, place = self._of(trained, head)
        if not heads.finite()[place]:
            raise self.diverged()
        columns = torch.from_numpy(place * self.classes + classes).to(self.device)
        weight, bias = heads.weight[:, columns].double(), heads.bias[columns].double()
        found = np.empty((len(features), len(classes)))
        for rows, block in Rows(features).blocks(block_rows(features.shape[1] + len(classes))):
            part = block[:, self.columns[head[0]]].double()
            found[rows] = torch.addmm(bias, part, weight).cpu().numpy()
        return found

    def _of(self, trained: Sequence[LinearHeads], head: Head) -> tuple[LinearHeads, int]:
        """The heads of an input, and the place of one among them."""
        name, rate = head
        return trained[list(self.columns).index(name)], self.recipe.learning_rates.index(rate)

    def diverged(self) -> InputError:
        """The error where no head has finite weights."""
        rates = ", ".join(f"{rate:g}" for rate in self.recipe.learning_rates)
        return InputError(
            f"training diverged: no finite weights with learning_rate {rates} per 256 images in "
            f"batches of {self.recipe.batch_size}",
            "Lower the learning rate or scale the features: SGD depends on their lengths.",
        )
