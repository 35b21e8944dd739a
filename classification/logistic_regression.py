"""Logistic regression on frozen embeddings, with C chosen on validation images."""

from collections.abc import Sequence

import torch

from lowlabel.arrays import Features, Labels
from lowlabel.classification.intervals import ClassifierInterval
from lowlabel.classification.labelling.one_label import OneLabel
from lowlabel.classification.logistic.evaluate import DEFAULT_CS, Norm, evaluate_logistic
from lowlabel.classification.logistic.path import MAX_ITER
from lowlabel.classification.logistic.problem import Multinomial
from lowlabel.classification.result import ClassifierResult
from lowlabel.progress import Progress


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
    return evaluate_logistic(
        OneLabel.of,
        Multinomial,
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
