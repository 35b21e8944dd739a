"""Logistic regression on frozen embeddings, with C chosen on validation images."""

import math
from collections.abc import Iterable, Sequence
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lowlabel.arrays import (
    Features,
    Labels,
    as_features,
    as_integers,
    as_labels,
    refuse_rows,
    require_name,
    require_same_width,
)
from lowlabel.classification.classes import number_classes, validation_columns
from lowlabel.classification.held_out import held_out_for
from lowlabel.classification.intervals import ClassifierInterval, Units
from lowlabel.classification.logistic.choice import Fits
from lowlabel.classification.logistic.path import MAX_ITER
from lowlabel.classification.metrics import classification_values
from lowlabel.classification.result import ClassifierResult
from lowlabel.classification.rows import Rows
from lowlabel.devices import scoring_device
from lowlabel.errors import InputError
from lowlabel.lazy_rows import RowStep, changed
from lowlabel.progress import Progress
from lowlabel.scale import magnitudes, unit

DEFAULT_CS = tuple(float(f"1e{power}") for power in range(-6, 6))
_BLOCK_ELEMENTS = 2**24
Norm = Literal["none", "l2", "standard"]


@torch.inference_mode()
def evaluate_logistic_regression(
    train_features: Features,
    train_labels: Labels,
    test_features: Features,
    test_labels: Labels,
    *,
    validation: tuple[Features, Labels] | None = None,
    c: float | Sequence[float] = DEFAULT_CS,
    norm: Norm = "none",
    max_iter: int = MAX_ITER,
    seed: int = 0,
    groups: Labels | None = None,
    interval: ClassifierInterval | None = None,
    device: str | torch.device = "auto",
    progress: Progress | None = None,
) -> ClassifierResult:
    """Evaluates multinomial logistic regression with an L2 penalty.

    Minimises ½|W|² + C · Σ cross-entropy with unpenalised intercepts, as scikit-learn's
    `LogisticRegression(C=c)` does, to within about a billionth of the objective. As in DINOv2
    (Oquab et al., "DINOv2: Learning Robust Visual Features without Supervision", arXiv 2304.07193),
    C is the value with the highest top-1 accuracy on validation images, the smallest of equally
    good ones, and the features are taken as they are. DINOv2 tries 45 values from 1e-6 to 1e5; here
    they are the powers of ten in this range. Without validation images, a tenth of each class of
    train is held out for the choice, and the classifier with the chosen C is then fitted to all of
    train.

    Args:
        train_features: Train embeddings, floats [N, D], numpy or torch.
        train_labels: Class of each train image, any integers, [N].
        test_features: Test embeddings, floats [M, D].
        test_labels: Class of each test image, integers [M].
        validation: Embeddings and labels of the images to choose on; a single C needs none.
        c: Inverse strength of the penalty, or several to choose from, above 0.
        norm: "none", "l2" (rows of length 1), or "standard" (columns of mean 0 and standard
            deviation 1 over the train images; constant columns become 0).
        max_iter: Largest number of Newton steps for each C. A fit that does not converge by then
            is used as it is, with a warning; `chosen` names it.
        seed: Random seed of the held-out tenth.
        groups: Group of each test image (patient, camera, burst), any integers, [M].
        interval: What another study would draw anew: test "images", their "groups" or "classes"; by
            default groups where they are given, else images. The result has all of them.
        device: Device to compute on; "auto" is a GPU if there is one.
        progress: Called with (fits done, fits) during and after each fit.

    Returns:
        All metrics. `chosen` has the chosen method ("method") and the validation accuracy of each
        C in percent ("tried"), if there are several, and the methods that did not converge
        ("not_converged"), if any.

    Raises:
        InputError: If shapes do not match, features are not floats or not finite, labels are not
            integers, train has one class, no test or validation image has a train class, nothing
            can be held out, or an option is invalid.
        UnknownNameError: If `norm` or `interval` is unknown.

    Example:
        >>> train = np.array([[1.0, 0.1], [1.0, 0.2], [0.1, 1.0]])
        >>> test = np.array([[1.0, 0.0], [0.0, 1.0]])
        >>> evaluate_logistic_regression(train, [7, 7, 9], test, [7, 9], c=1.0).metrics["top1"]
        100.0
    """
    cs = checked_cs(c)
    require_name("norm", norm, get_args(Norm))
    (max_iter,) = as_integers(1, max_iter=max_iter)
    (seed,) = as_integers(0, seed=seed)
    place = scoring_device(device)
    train, labels = _checked(train_features, train_labels, place, "train")
    test, wanted = _checked(test_features, test_labels, place, "test")
    require_same_width({"train features": train.shape[1], "test features": test.shape[1]})
    units = Units.of(wanted, groups, interval)
    names, train_targets, test_targets = number_classes(labels, wanted)
    normalise, targets = normaliser(norm, train), torch.from_numpy(train_targets).to(place)
    learned = Rows(changed(train, normalise))
    fits = Fits(
        len(names),
        max_iter,
        norm=norm,
        total=len(cs) + (len(cs) > 1 and validation is None),
        progress=progress,
    )
    tried: dict[str, float] = {}
    if len(cs) == 1:
        (best,) = fits.fit(learned, targets, cs)
    elif validation is None:
        rows = held_out_for("C", labels, "a single value of C: c=1.0", seed=seed)
        held = torch.from_numpy(rows).to(place)
        kept, chosen = (~held).nonzero().flatten(), held.nonzero().flatten()
        images = learned.chosen(chosen), targets[chosen]
        found, tried = fits.choose(learned.chosen(kept), targets[kept], cs, images)
        (best,) = fits.fit(learned, targets, (found.c,), start=found)
    else:
        x, y = _checked(*validation, place, "validation")
        require_same_width({"train features": train.shape[1], "validation features": x.shape[1]})
        columns = torch.from_numpy(validation_columns(labels, y)).to(place)
        best, tried = fits.choose(learned, targets, cs, (Rows(changed(x, normalise)), columns))
    probabilities = best.probabilities(Rows(changed(test, normalise)))
    values = classification_values(probabilities, torch.from_numpy(test_targets).to(place))
    unseen = int((test_targets < 0).sum())
    return ClassifierResult(values, len(names), unseen, units, fits.record(best.c, tried))


def checked_cs(c: float | Sequence[float]) -> tuple[float, ...]:
    """The values of C in ascending order.

    Raises:
        InputError: If there is none, one is not a finite number above 0, or one is repeated.
    """
    values: tuple[float, ...] = tuple(c) if isinstance(c, Iterable) else (c,)
    for value in values:
        is_number = isinstance(value, int | float | np.integer | np.floating)
        if isinstance(value, bool) or not (is_number and 0 < value < math.inf):
            raise InputError(f"c={value!r} must be a finite number above 0")
    cs = tuple(sorted(float(value) for value in values))
    if not cs or len(set(cs)) < len(cs):
        raise InputError(f"c={c!r} must be one or more different numbers")
    return cs


def _checked(
    features: Features, labels: Labels, device: torch.device, part: str
) -> tuple[Tensor, NDArray[np.int64]]:
    rows = finite_features(features, device, part)
    return rows, as_labels(labels, len(rows), f"{part} labels")


def finite_features(features: Features, device: torch.device, part: str) -> Tensor:
    """Converts the features of a part; an `InputError` unless they are finite floats."""
    rows = as_features(features, f"{part} features").to(device)
    bad = ~magnitudes(rows)[:, 0].isfinite()
    refuse_rows(bad, f"{part} features", "hold NaN or infinite values")
    return rows


def normaliser(norm: Norm, train: Tensor) -> RowStep:
    """What is done to features before they are fitted or classified."""
    if norm == "none":
        return lambda x: x
    if norm == "l2":
        return unit
    columns = train.split(max(1, _BLOCK_ELEMENTS // len(train)), dim=1)
    parts = [torch.std_mean(part.double(), 0, correction=0) for part in columns]
    deviation, mean = (torch.cat(each) for each in zip(*parts, strict=True))
    # As scikit-learn's StandardScaler: no more than the rounding of the mean is a constant.
    eps, count = torch.finfo(train.dtype).eps, len(train)
    constant = deviation**2 <= count * eps * deviation**2 + (count * eps * mean) ** 2
    factor = torch.where(constant, 0.0, 1 / deviation)
    return lambda x: ((x.double() - mean) * factor).to(x.dtype)
