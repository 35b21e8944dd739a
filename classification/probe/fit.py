"""The training of a grid of linear heads, and the choice of one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lowlabel.classification.labelling.ties import Columns, on_grid
from lowlabel.classification.probe.grid import LinearGrid
from lowlabel.classification.probe.heads import Head, LinearHeads
from lowlabel.classification.probe.resume import Resume
from lowlabel.classification.rows import Rows
from lowlabel.classification.unfinished import State
from lowlabel.progress import Progress, share_of


@dataclass(frozen=True, eq=False)
class TrainSet:
    """The images that heads learn from.

    Attributes:
        tables: Features [N, D], one table for each view; epochs take them in turn.
        targets: Target of each image, [N] or [N, C].
        learned: Rows to learn from, int64 [n].
    """

    tables: Sequence[Tensor]
    targets: Tensor
    learned: Tensor

    def part(self, chosen: Tensor) -> "TrainSet":
        """Some of the images, by a bool for each of `learned`."""
        return TrainSet(self.tables, self.targets, self.learned[chosen])


@dataclass(frozen=True, eq=False)
class LinearFit:
    """A trained head.

    Attributes:
        grid: What was trained last: the whole grid, or the head alone.
        trained: The heads of each input of `grid`.
        head: Input and learning rate of the head.
        chosen: Its name ("method") and the validation score of each head ("tried"); empty if
            there was no choice.
    """

    grid: LinearGrid
    trained: Sequence[LinearHeads]
    head: Head
    chosen: Mapping[str, object] = field(default_factory=dict)

    def probabilities(self, features: Tensor) -> Tensor:
        """Probabilities [M, C] of features [M, D]; see `LinearGrid.probabilities`."""
        return self.grid.probabilities(self.trained, self.head, features)

    def scores(self, features: Tensor, columns: Columns) -> NDArray[np.float64]:
        """Scores of features [M, D] for some labels, [M, columns]; equal images have equal ones."""
        return on_grid(self.grid.scores(self.trained, self.head, features, columns))


def fit_linear(
    grid: LinearGrid,
    train: TrainSet,
    *,
    validation: tuple[Rows, Tensor] | None = None,
    held: Tensor | None = None,
    progress: Progress | None = None,
    unfinished: State | None = None,
) -> LinearFit:
    """Trains the heads, and chooses one if there are several.

    Args:
        grid: The heads.
        train: The images to learn from.
        validation: Features to choose on and their targets, if there are several heads.
        held: Whether each image to learn from is held out for the choice, bool [n]: the chosen
            head is then trained again, on all of them.
        progress: Called with (steps done, steps) of both trainings.
        unfinished: Keeps the state, and has that of an interrupted training to go on from.

    Raises:
        InputError: If no head has finite weights.
    """
    head, steps = grid.heads[0], 0
    chosen: dict[str, object] = {}
    again = grid.recipe.count(len(train.learned))
    resume = None if unfinished is None else Resume.of(unfinished, grid.device)
    if validation is not None:
        part = train if held is None else train.part(~held)
        steps = grid.recipe.count(len(part.learned))
        again = 0 if held is None else again
        if resume is not None and resume.chosen:
            head, tried = resume.choice(grid.heads)
        else:
            trained = _train(grid, part, share_of(progress, 0, steps + again), resume)
            head, tried = _best(grid, grid.qualities(trained, *validation))
            if resume is not None:
                resume = resume.after({"head": head, "tried": tried})
        chosen = {"method": grid.spec(head), "tried": tried}
        if held is None:
            return LinearFit(grid, trained, head, chosen)
    grid = grid.only(head)
    trained = _train(grid, train, share_of(progress, steps, steps + again), resume)
    return LinearFit(grid, trained, head, chosen)


def _train(
    grid: LinearGrid, train: TrainSet, progress: Progress | None, resume: Resume | None
) -> list[LinearHeads]:
    return grid.train(train.tables, train.targets, train.learned, progress, resume)


def _best(
    grid: LinearGrid, qualities: Sequence[float | None]
) -> tuple[Head, dict[str, float | None]]:
    """The best head, the first of equal ones, and how good each is."""
    heads = grid.heads
    tried = {grid.spec(head): value for head, value in zip(heads, qualities, strict=True)}
    finite = [value for value in qualities if value is not None]
    if not finite:
        raise grid.diverged()
    return heads[list(qualities).index(max(finite))], tried
