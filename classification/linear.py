"""Linear probes on cached embeddings, as DINO and DINOv2 train theirs."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lowlabel.arrays import (
    Features,
    Labels,
    as_float32,
    as_integers,
    as_labels,
    require_same_width,
)
from lowlabel.classification.classes import number_classes, validation_columns
from lowlabel.classification.held_out import held_out_for
from lowlabel.classification.intervals import ClassifierInterval, Units
from lowlabel.classification.linear_grid import LinearGrid
from lowlabel.classification.linear_recipe import LinearRecipe, known_recipe
from lowlabel.classification.metrics import classification_values
from lowlabel.classification.result import ClassifierResult
from lowlabel.devices import resolve_device
from lowlabel.errors import InputError
from lowlabel.progress import Progress, share_of


@torch.inference_mode()
def evaluate_linear(
    train_features: Features,
    train_labels: Labels,
    test_features: Features,
    test_labels: Labels,
    *,
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
    device = resolve_device(device)
    train, labels = _checked(train_features, train_labels, device, "train")
    test, wanted = _checked(test_features, test_labels, device, "test")
    tables = [as_float32(view, device, f"view {n}") for n, view in enumerate(views, 1)] or [train]
    _require_alike(train, test, tables)
    units = Units.of(wanted, groups, interval)
    names, train_targets, test_targets = number_classes(labels, wanted)
    targets = torch.from_numpy(train_targets).to(device)
    inputs = _known_columns(columns, train.shape[1])
    grid = LinearGrid(recipe, inputs, len(names), seed, device)
    head, learned = grid.heads[0], torch.arange(len(labels), device=device)
    steps, again = 0, recipe.count(len(labels))
    chosen: dict[str, object] = {}
    trained = None
    if len(grid.heads) > 1:
        if validation is None:
            one = "a recipe with one learning rate: recipe='dino'"
            rows = held_out_for("the learning rate", labels, one, seed=seed)
            held = torch.from_numpy(rows).to(device)
            choosing, images = learned[~held], (train[held], targets[held])
        else:
            choosing, images = learned, _validation(validation, labels, train.shape[1], device)
        steps = recipe.count(len(choosing))
        again = recipe.count(len(labels)) if validation is None else 0
        trained = grid.train(tables, targets, choosing, share_of(progress, 0, steps + again))
        head, tried = _best(grid, grid.accuracies(trained, *images))
        chosen = {"method": grid.spec(head), "tried": tried}
    if trained is None or validation is None:
        grid = grid.only(head)
        trained = grid.train(tables, targets, learned, share_of(progress, steps, steps + again))
    probabilities = grid.probabilities(trained, head, test)
    truth = torch.from_numpy(test_targets).to(device)
    values = classification_values(probabilities, truth, probabilistic=probabilistic)
    unseen = int((test_targets < 0).sum())
    return ClassifierResult(values, len(names), unseen, units, chosen)


def _best(
    grid: LinearGrid, accuracies: Sequence[float | None]
) -> tuple[tuple[str, float], dict[str, float | None]]:
    """The head with the highest accuracy, the first of equal ones, and the accuracy of each."""
    heads = grid.heads
    tried = {grid.spec(head): value for head, value in zip(heads, accuracies, strict=True)}
    finite = [value for value in accuracies if value is not None]
    if not finite:
        raise grid.diverged()
    return heads[list(accuracies).index(max(finite))], tried


def _validation(
    validation: tuple[Features, Labels],
    train_labels: NDArray[np.int64],
    width: int,
    device: torch.device,
) -> tuple[Tensor, Tensor]:
    """Features and targets to choose on; classes that train lacks have negative targets."""
    features, labels = _checked(*validation, device, "validation")
    require_same_width({"train features": width, "validation features": features.shape[1]})
    targets = validation_columns(train_labels, labels)
    return features, torch.from_numpy(targets).to(device)


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
