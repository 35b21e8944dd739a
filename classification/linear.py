"""Linear probes on cached embeddings, as DINO and DINOv2 train theirs."""

from collections.abc import Mapping, Sequence
from functools import partial

import torch

from lowlabel.arrays import Features, Labels
from lowlabel.classification.intervals import ClassifierInterval
from lowlabel.classification.labelling.one_label import OneLabel
from lowlabel.classification.probe.evaluate import evaluate_probe
from lowlabel.classification.probe.losses import CROSS_ENTROPY
from lowlabel.classification.probe.recipe import LinearRecipe
from lowlabel.classification.result import ClassifierResult
from lowlabel.classification.unfinished import State
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
    return evaluate_probe(
        partial(OneLabel.of, probabilistic=probabilistic),
        CROSS_ENTROPY,
        (train_features, train_labels),
        (test_features, test_labels),
        rows=rows,
        validation=validation,
        recipe=recipe,
        columns=columns,
        views=views,
        seed=seed,
        groups=groups,
        interval=interval,
        device=device,
        progress=progress,
        unfinished=unfinished,
    )
