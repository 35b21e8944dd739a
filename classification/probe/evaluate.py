"""The evaluation of linear probes, of whatever labels."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lowlabel.arrays import (
    Features,
    Labels,
    as_features,
    as_float32,
    as_seed,
    require_same_width,
)
from lowlabel.classification.labelling.base import GivenLabels, Labelling, Result
from lowlabel.classification.probe.fit import LinearFit, TrainSet, fit_linear
from lowlabel.classification.probe.grid import LinearGrid
from lowlabel.classification.probe.losses import HeadLoss
from lowlabel.classification.probe.recipe import LinearRecipe, known_recipe
from lowlabel.classification.rows import Rows, as_rows, picked
from lowlabel.classification.unfinished import State
from lowlabel.devices import scoring_device
from lowlabel.errors import InputError
from lowlabel.progress import Progress

Given = tuple[Features, Any]


def evaluate_probe(
    labelling: Callable[[GivenLabels], Labelling[LinearFit, Result]],
    loss: HeadLoss,
    train: Given,
    test: Given,
    *,
    rows: Labels | None = None,
    validation: Given | None = None,
    recipe: str | LinearRecipe = "dino",
    columns: Mapping[str, slice] | None = None,
    views: Sequence[Features] = (),
    seed: int = 0,
    groups: Labels | None = None,
    interval: str | None = None,
    device: str | torch.device = "auto",
    progress: Progress | None = None,
    unfinished: State | None = None,
) -> Result:
    """Checks features and options, trains, chooses and scores.

    Args:
        labelling: Checks the labels of all parts.
        loss: What heads minimise.
        train: Train embeddings and labels.
        test: Test embeddings and labels.
        rows: See `evaluate_linear`, as all other options.
        validation: See there.
        recipe: See there.
        columns: See there.
        views: See there.
        seed: See there.
        groups: See there.
        interval: See there.
        device: See there.
        progress: See there.
        unfinished: See there.
    """
    recipe = known_recipe(recipe)
    seed = as_seed(seed)
    device = scoring_device(device)
    given = as_features(train[0], "train features").to(device)
    chosen = None if rows is None else as_rows(rows, len(given))
    table, places = _learned(given, chosen, "train features")
    test_table = as_float32(test[0], device, "test features")
    tables = [_view(view, n, chosen, device) for n, view in enumerate(views, 1)] or [table]
    _require_alike(table, test_table, tables)
    inputs = _known_columns(columns, table.shape[1])
    several = len(inputs) * len(recipe.learning_rates) > 1
    parts = {"train": (train[1], len(given)), "test": (test[1], len(test_table))}
    if several and validation is not None:
        own = as_float32(validation[0], device, "validation features")
        require_same_width({"train features": table.shape[1], "validation features": own.shape[1]})
        parts["validation"] = validation[1], len(own)
    asked = labelling(GivenLabels(parts, chosen, groups, interval, device))
    grid = LinearGrid(recipe, inputs, asked.outputs, seed, device, loss)
    learned = _train_set(tables, places, asked.train)
    held, choice = None, None
    if asked.validation is not None:
        choice = Rows(own), asked.validation
    elif several:
        one = "a recipe with one learning rate: recipe='dino'"
        held = torch.from_numpy(asked.held_out("the learning rate", one, seed)).to(device)
        out = learned.part(held).learned
        choice = Rows(table, out), learned.targets[out]
    fit = fit_linear(
        grid, learned, validation=choice, held=held, progress=progress, unfinished=unfinished
    )
    return asked.result(fit, test_table, fit.chosen)


def _learned(
    table: Tensor, rows: NDArray[np.int64] | None, name: str
) -> tuple[Tensor, Tensor | None]:
    """The table that is learned from, and the rows in it; None for all."""
    kept, places = picked(table, rows)
    return as_float32(kept, table.device, name), places


def _view(
    view: Features, number: int, rows: NDArray[np.int64] | None, device: torch.device
) -> Tensor:
    """A table of augmented train images, in the rows of that of the train images."""
    name = f"view {number}"
    table = as_features(view, name).to(device)
    if rows is not None and len(table) > rows.max():
        return _learned(table, rows, name)[0]
    return as_float32(table, device, name)


def _train_set(tables: Sequence[Tensor], places: Tensor | None, targets: Tensor) -> TrainSet:
    if places is None:
        return TrainSet(tables, targets, torch.arange(len(targets), device=targets.device))
    every = targets.new_zeros(len(tables[0]), *targets.shape[1:]).index_copy_(0, places, targets)
    return TrainSet(tables, every, places)


def _require_alike(train: Tensor, test: Tensor, tables: Sequence[Tensor]) -> None:
    """Raises an `InputError` unless all have one width, and views a row for each train image."""
    widths = {"train features": train.shape[1], "test features": test.shape[1]}
    require_same_width(widths | {f"view {n}": t.shape[1] for n, t in enumerate(tables, 1)})
    for number, table in enumerate(tables, 1):
        if len(table) != len(train):
            raise InputError(
                f"view {number} has {len(table)} rows for {len(train)} train images",
                "Give each view a row for every train image, in the same order.",
            )


def _known_columns(columns: Mapping[str, slice] | None, width: int) -> dict[str, slice]:
    """The inputs with explicit ends.

    Raises:
        InputError: If there is none, or one is empty or has steps.
    """
    if columns is None:
        return {"all": slice(0, width)}
    found = {name: slice(*part.indices(width)) for name, part in columns.items()}
    empty = [name for name, part in found.items() if part.step != 1 or part.stop <= part.start]
    if empty or not found:
        raise InputError(
            f"columns {', '.join(empty) or '{}'} are no range of the {width} columns",
            "Give slices such as {'cls': slice(0, 384)}.",
        )
    return found
