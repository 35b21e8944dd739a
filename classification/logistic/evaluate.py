"""The evaluation of logistic regression, of whatever labels."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from lowlabel.arrays import (
    Features,
    Labels,
    as_features,
    as_integers,
    as_seed,
    refuse_rows,
    require_name,
    require_same_width,
)
from lowlabel.classification.labelling.base import GivenLabels, Labelling, Result
from lowlabel.classification.logistic.choice import Fits
from lowlabel.classification.logistic.path import MAX_ITER
from lowlabel.classification.logistic.problem import F, Problem
from lowlabel.classification.rows import Rows
from lowlabel.devices import scoring_device
from lowlabel.errors import InputError
from lowlabel.fewshot.solvers.cholesky import NotSolvedError
from lowlabel.lazy_rows import RowStep, changed
from lowlabel.progress import Progress
from lowlabel.scale import magnitudes, unit

DEFAULT_CS = tuple(float(f"1e{power}") for power in range(-6, 6))
_BLOCK_ELEMENTS = 2**24
Norm = Literal["none", "l2", "standard"]
Given = tuple[Features, Any]


def evaluate_logistic(
    labelling: Callable[[GivenLabels], Labelling[F, Result]],
    problem: Callable[[int], Problem[F]],
    train: Given,
    test: Given,
    *,
    validation: Given | None = None,
    c: float | Sequence[float] = DEFAULT_CS,
    norm: Norm = "none",
    max_iter: int = MAX_ITER,
    seed: int = 0,
    groups: Labels | None = None,
    interval: str | None = None,
    device: str | torch.device = "auto",
    progress: Progress | None = None,
) -> Result:
    """Checks features and options, chooses C, fits and scores.

    Args:
        labelling: Checks the labels of all parts.
        problem: What is fitted, by the number of outputs.
        train: Train embeddings and labels.
        test: Test embeddings and labels.
        validation: See `evaluate_logistic_regression`, as all other options.
        c: See there.
        norm: See there.
        max_iter: See there.
        seed: See there.
        groups: See there.
        interval: See there.
        device: See there.
        progress: See there.
    """
    cs = checked_cs(c)
    require_name("norm", norm, get_args(Norm))
    (max_iter,) = as_integers(1, max_iter=max_iter)
    seed = as_seed(seed)
    place = scoring_device(device)
    parts = {"train": train, "test": test}
    if validation is not None and len(cs) > 1:
        parts["validation"] = validation
    x = {part: _finite_features(of[0], place, part, norm) for part, of in parts.items()}
    labels = {part: (of[1], len(x[part])) for part, of in parts.items()}
    asked = labelling(GivenLabels(labels, None, groups, interval, place))
    require_same_width({f"{part} features": each.shape[1] for part, each in x.items()})
    normalise = _normaliser(norm, x["train"])
    rows = {part: Rows(changed(each, normalise)) for part, each in x.items()}
    total = len(cs) + (len(cs) > 1 and validation is None)
    fits = Fits(problem(asked.outputs), max_iter, norm, total, progress)
    with _explained(x["train"]):
        best = fits.best(rows["train"], asked, cs, rows.get("validation"), seed)
    return asked.result(best, rows["test"], fits.record(best.c))


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


def _finite_features(features: Features, device: torch.device, part: str, norm: Norm) -> Tensor:
    """Converts the features of a part; an `InputError` unless they are floats that can be fitted.

    Lengths that are not removed have squares, which overflow beyond float32.
    """
    rows = as_features(features, f"{part} features").to(device)
    most = torch.finfo(rows.dtype if norm == "l2" else torch.float32).max
    bad = ~(magnitudes(rows)[:, 0] <= most)
    where = "" if norm == "l2" else " in float32"
    refuse_rows(bad, f"{part} features", f"hold NaN or infinite values{where}")
    return rows


@contextmanager
def _explained(train: Tensor) -> Iterator[None]:
    """Turns what cannot be solved into an `InputError`."""
    try:
        yield
    except NotSolvedError as error:
        longest = magnitudes(train)[:, 0]
        raise InputError(
            "logistic regression cannot be solved on these features, whose rows have entries of "
            f"up to {longest.median():.3g} in the median and {longest.max():.3g} at most: {error}",
            'Leave rows out that are far from all others, or give norm="l2" (norm=l2).',
        ) from error


def _normaliser(norm: Norm, train: Tensor) -> RowStep:
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
