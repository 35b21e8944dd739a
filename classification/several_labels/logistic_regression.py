"""A logistic regression for each label of images that have several, with one C for all."""

from collections.abc import Sequence
from typing import Any, get_args

import numpy as np
import torch

from lowlabel.arrays import (
    Features,
    Labels,
    as_integers,
    as_label_sets,
    require_name,
    require_same_width,
)
from lowlabel.classification.held_out import held_out_for
from lowlabel.classification.intervals import ClassifierInterval
from lowlabel.classification.logistic.choice import Fits
from lowlabel.classification.logistic.path import MAX_ITER
from lowlabel.classification.logistic_regression import (
    DEFAULT_CS,
    Norm,
    checked_cs,
    finite_features,
    normaliser,
)
from lowlabel.classification.rows import Rows
from lowlabel.classification.several_labels.label_fits import LabelFits
from lowlabel.classification.several_labels.label_sets import (
    learnable,
    rarest_labels,
    require_same_labels,
    units_of,
)
from lowlabel.classification.several_labels.result import SeveralLabelsResult
from lowlabel.devices import scoring_device
from lowlabel.lazy_rows import changed
from lowlabel.progress import Progress


@torch.inference_mode()
def evaluate_logistic_several_labels(
    train_features: Features,
    train_labels: Any,
    test_features: Features,
    test_labels: Any,
    *,
    validation: tuple[Features, Any] | None = None,
    c: float | Sequence[float] = DEFAULT_CS,
    norm: Norm = "none",
    max_iter: int = MAX_ITER,
    seed: int = 0,
    groups: Labels | None = None,
    interval: ClassifierInterval | None = None,
    device: str | torch.device = "auto",
    progress: Progress | None = None,
) -> SeveralLabelsResult:
    """Evaluates a binary logistic regression for each label, with an L2 penalty.

    Each label is told from its absence by scikit-learn's objective, as `LogisticRegression(C=c)` in
    a `OneVsRestClassifier`; images are ranked by its logit. One C serves all labels: that of the
    highest mAP on validation images, the smallest of equally good ones. Without validation images,
    a tenth of train is held out for the choice, drawn from the images of each label, with an image
    counted for the rarest of its labels; the labels are then fitted again to all of train.

    Args:
        train_features: Train embeddings, floats [N, D], numpy or torch.
        train_labels: Whether train image i has label j, booleans or 0 and 1, [N, L].
        test_features: Test embeddings, floats [M, D].
        test_labels: Labels of the test images, [M, L].
        validation: Embeddings and labels of the images to choose on; a single C needs none.
        c: Inverse strength of the penalty, or several to choose from, above 0.
        norm: See `evaluate_logistic_regression`.
        max_iter: Largest number of Newton steps of a fit; see `evaluate_logistic_regression`.
        seed: Random seed of the held-out tenth.
        groups: Group of each test image (patient, camera, burst), any integers, [M].
        interval: What another study would draw anew: test "images", their "groups" or "classes"
            (labels); by default groups where they are given, else images.
        device: Device to compute on; "auto" is a GPU if there is one.
        progress: Called with (fits done, fits) during and after each fit.

    Returns:
        The mAP. `chosen` is as that of `evaluate_logistic_regression`, with mAP as the validation
        score.

    Raises:
        InputError: If shapes do not match, features are not floats or not finite, labels are not 0
            and 1, no image of a part has a label, nothing can be learned or held out, or an option
            is invalid.
        UnknownNameError: If `norm` or `interval` is unknown.

    Example:
        >>> train = np.array([[1.0, 0.1], [1.0, 0.2], [0.1, 1.0]])
        >>> test = np.array([[1.0, 0.0], [0.0, 1.0]])
        >>> labels = [[1, 0], [1, 1], [0, 1]]
        >>> test_labels = [[1, 0], [0, 1]]
        >>> found = evaluate_logistic_several_labels(train, labels, test, test_labels, c=1.0)
        >>> found.metrics["mean_ap"]
        100.0
    """
    cs = checked_cs(c)
    require_name("norm", norm, get_args(Norm))
    (max_iter,) = as_integers(1, max_iter=max_iter)
    (seed,) = as_integers(0, seed=seed)
    place = scoring_device(device)
    parts = {"train": (train_features, train_labels), "test": (test_features, test_labels)}
    if validation is not None and len(cs) > 1:
        parts["validation"] = validation
    x = {part: finite_features(of[0], place, part) for part, of in parts.items()}
    sets = {
        part: as_label_sets(of[1], len(x[part]), f"{part} labels", empty=True)
        for part, of in parts.items()
    }
    require_same_width({f"{part} features": each.shape[1] for part, each in x.items()})
    require_same_labels(sets)
    units = units_of(sets["test"], groups, interval)
    normalise = normaliser(norm, x["train"])
    rows = {part: Rows(changed(each, normalise)) for part, each in x.items()}
    learned = int(learnable(sets["train"]).sum())
    refit = len(cs) > 1 and validation is None
    total = learned * (len(cs) + refit)
    fits = LabelFits(Fits(2, max_iter, norm=norm, total=total, progress=progress))
    tried: dict[str, float] = {}
    if len(cs) == 1:
        (best,) = fits.fit(rows["train"], sets["train"], cs)
    elif validation is not None:
        of_each = fits.fit(rows["train"], sets["train"], cs)
        best, tried = fits.choose(of_each, rows["validation"], sets["validation"])
    else:
        rarest = rarest_labels(sets["train"])
        held = held_out_for("C", rarest, "a single value of C: c=1.0", seed=seed)
        kept, out = (torch.from_numpy(np.flatnonzero(of)).to(place) for of in (~held, held))
        of_each = fits.fit(rows["train"].chosen(kept), sets["train"][~held], cs)
        chosen, tried = fits.choose(of_each, rows["train"].chosen(out), sets["train"][held])
        (best,) = fits.fit(rows["train"], sets["train"], (chosen.c,), start=chosen)
    return SeveralLabelsResult.of(
        best.scores(rows["test"]),
        sets["test"],
        learnable(sets["train"]),
        units,
        fits.fits.record(best.c, tried),
    )
