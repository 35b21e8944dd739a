"""A logistic regression for each label of images that have several, with one C for all."""

from collections.abc import Sequence
from typing import Any

import torch

from lowlabel.arrays import Features, Labels
from lowlabel.classification.intervals import ClassifierInterval
from lowlabel.classification.logistic.evaluate import DEFAULT_CS, Norm, evaluate_logistic
from lowlabel.classification.logistic.path import MAX_ITER
from lowlabel.classification.several_labels.label_fits import EachLabel
from lowlabel.classification.several_labels.labelling import SeveralLabels
from lowlabel.classification.several_labels.result import SeveralLabelsResult
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
    return evaluate_logistic(
        SeveralLabels.of,
        lambda _: EachLabel(),
        (train_features, train_labels),
        (test_features, test_labels),
        validation=validation,
        c=c,
        norm=norm,
        max_iter=max_iter,
        seed=seed,
        groups=groups,
        interval=interval,
        device=device,
        progress=progress,
    )
