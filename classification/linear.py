"""Linear probes on cached embeddings, as DINO and DINOv2 train theirs."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lowlabel.arrays import (
    Features,
    Labels,
    as_features,
    as_float32,
    as_integers,
    as_labels,
    require_same_width,
)
from lowlabel.classification.classes import number_classes, validation_columns
from lowlabel.classification.held_out import held_out_for
from lowlabel.classification.intervals import ClassifierInterval, Units
from lowlabel.classification.probe.fit import TrainSet, fit_linear
from lowlabel.classification.probe.grid import LinearGrid
from lowlabel.classification.probe.recipe import LinearRecipe, known_recipe
from lowlabel.classification.metrics import classification_values
from lowlabel.classification.result import ClassifierResult
from lowlabel.classification.rows import Rows, as_rows, picked
from lowlabel.classification.unfinished import State
from lowlabel.devices import scoring_device
from lowlabel.errors import InputError
from lowlabel.progress import Progress


@torch.inference_mode()
def evaluate_linear(
    train_features: Features,
    train_labels: Labels,
    test_features: Features,
    test_labels: Labels,
    *,
    rows: Labels | None = None,
    validation: tuple[Features, Labels] | None = None,
    recipe: str | LinearRecipe = "dino",
    columns: Mapping[str, slice] | None = None,
    views: Sequence[Features] = (),
    seed: int = 0,
    probabilistic: bool = True,
    groups: Labels | None = None,
    interval: ClassifierInterval | None = None,
    device: str | torch.device = "auto",
    progress: Progress | None = None,
    unfinished: State | None = None,
) -> ClassifierResult:
    """Evaluates a linear classifier that SGD trains on frozen embeddings.

    "dino" is the linear evaluation of Caron et al., "Emerging Properties in Self-Supervised Vision
    Transformers", ICCV 2021, arXiv 2104.14294; the classifier after the last epoch is scored.
    "dinov2" is that of Oquab et al., "DINOv2: Learning Robust Visual Features without Supervision",
    arXiv 2304.07193: heads of 13 learning rates for each input, trained together on the same
    batches, of which the best on the validation images is scored, the first of equally good ones.
    Without validation images, a tenth of each class of train is held out for the choice, and the
    chosen head is then trained on all of train. The authors augment the train images at every step;
    see `views`.

    Args:
        train_features: Train embeddings, floats [N, D], numpy or torch.
        train_labels: Class of each train image, any integers, [N].
        test_features: Test embeddings, floats [M, D].
        test_labels: Class of each test image, integers [M].
        rows: Rows of the train images to learn from, integers [n]; by default all.
        validation: Embeddings and labels of the images to choose on; a single head needs none.
        recipe: "dino", "dino-resnet50", "scfs", "dinov2", or a `LinearRecipe`.
        columns: Inputs of the heads by name, each a range of the D columns; by default all columns.
        views: Embeddings of augmented train images, floats [N, D] each. Epoch e learns from the
            (e mod V)-th of the V tables, instead of from `train_features`.
        seed: Random seed of batches, first weights and the held-out tenth.
        probabilistic: Whether AUROC and calibration error are computed too.
        groups: Group of each test image (patient, camera, burst), any integers, [M].
        interval: What another study would draw anew: test "images", their "groups" or "classes"; by
            default groups where they are given, else images. The result has all of them.
        device: Device to compute on; "auto" is a GPU if there is one.
        progress: Called with (steps done, steps) after each step.
        unfinished: File that keeps the state of the training every few minutes; if it has one, the
            training goes on from there, to the same weights. Delete it once the result is kept.

    Returns:
        The metrics. Where there are several heads, `chosen` has the chosen one ("method") and the
        validation accuracy of each in percent ("tried"; None if its weights are not finite).

    Raises:
        InputError: If shapes do not match, features are not finite floats, labels are not integers,
            no test or validation image has a train class, nothing can be held out, training
            diverges, or an option is invalid.
        UnknownNameError: If `recipe` or `interval` is unknown.

    Example:
        >>> train = np.array([[1.0, 0.1], [1.0, 0.2], [0.1, 1.0]])
        >>> test = np.array([[1.0, 0.0], [0.0, 1.0]])
        >>> recipe = LinearRecipe((1.0,), batch_size=256)
        >>> evaluate_linear(train, [7, 7, 9], test, [7, 9], recipe=recipe).metrics["top1"]
        100.0
    """
    recipe = known_recipe(recipe)
    (seed,) = as_integers(0, seed=seed)
    device = scoring_device(device)
    table, places, labels = _learned(train_features, train_labels, rows, device)
    test, wanted = _checked(test_features, test_labels, device, "test")
    tables = [_view(view, n, rows, device) for n, view in enumerate(views, 1)] or [table]
    _require_alike(table, test, tables)
    units = Units.of(wanted, groups, interval)
    names, train_columns, test_targets = number_classes(labels, wanted)
    inputs = _known_columns(columns, test.shape[1])
    grid = LinearGrid(recipe, inputs, len(names), seed, device)
    train = _train_set(tables, places, torch.from_numpy(train_columns).to(device))
    held, choice = None, None
    if len(grid.heads) > 1 and validation is None:
        one = "a recipe with one learning rate: recipe='dino'"
        held = torch.from_numpy(held_out_for("the learning rate", labels, one, seed=seed))
        held = held.to(device)
        out = train.part(held).learned
        choice = Rows(table, out), train.targets[out]
    elif len(grid.heads) > 1 and validation is not None:
        choice = _validation(validation, labels, test.shape[1], device)
    fit = fit_linear(
        grid, train, validation=choice, held=held, progress=progress, unfinished=unfinished
    )
    probabilities = fit.probabilities(test)
    truth = torch.from_numpy(test_targets).to(device)
    values = classification_values(probabilities, truth, probabilistic=probabilistic)
    unseen = int((test_targets < 0).sum())
    return ClassifierResult(values, len(names), unseen, units, fit.chosen)


def _validation(
    validation: tuple[Features, Labels],
    train_labels: NDArray[np.int64],
    width: int,
    device: torch.device,
) -> tuple[Rows, Tensor]:
    """Features and targets to choose on; classes that train lacks have negative targets."""
    features, labels = _checked(*validation, device, "validation")
    require_same_width({"train features": width, "validation features": features.shape[1]})
    targets = validation_columns(train_labels, labels)
    return Rows(features), torch.from_numpy(targets).to(device)


def _learned(
    features: Features, labels: Labels, rows: Labels | None, device: torch.device
) -> tuple[Tensor, Tensor | None, NDArray[np.int64]]:
    """The table of the train images, the rows to learn from, and their labels."""
    table = as_features(features, "train features").to(device)
    every = as_labels(labels, len(table), "train labels")
    if rows is None:
        return as_float32(table, device, "train features"), None, every
    chosen = as_rows(rows, len(table))
    kept, places = picked(table, chosen)
    return as_float32(kept, device, "train features"), places, every[chosen]


def _view(view: Features, number: int, rows: Labels | None, device: torch.device) -> Tensor:
    """A table of augmented train images, in the rows of that of the train images."""
    table = as_features(view, f"view {number}").to(device)
    if rows is not None:
        table, _ = picked(table, as_rows(rows, len(table)))
    return as_float32(table, device, f"view {number}")


def _train_set(tables: Sequence[Tensor], places: Tensor | None, targets: Tensor) -> TrainSet:
    if places is None:
        return TrainSet(tables, targets, torch.arange(len(targets), device=targets.device))
    every = targets.new_full((len(tables[0]),), -1).index_copy_(0, places, targets)
    return TrainSet(tables, every, places)


def _checked(
    features: Features, labels: Labels, device: torch.device, part: str
) -> tuple[Tensor, NDArray[np.int64]]:
    rows = as_float32(features, device, f"{part} features")
    return rows, as_labels(labels, len(rows), f"{part} labels")


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
