"""Linear probes of images with several labels: a binary cross-entropy for each label."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from lowlabel.arrays import Features, Labels
from lowlabel.classification.intervals import ClassifierInterval
from lowlabel.classification.probe.evaluate import evaluate_probe
from lowlabel.classification.probe.recipe import LinearRecipe
from lowlabel.classification.several_labels.head_loss import BinaryCrossEntropies
from lowlabel.classification.several_labels.labelling import SeveralLabels
from lowlabel.classification.several_labels.result import SeveralLabelsResult
from lowlabel.classification.unfinished import State
from lowlabel.progress import Progress


@torch.inference_mode()
def evaluate_linear_several_labels(
    train_features: Features,
    train_labels: Any,
    test_features: Features,
    test_labels: Any,
    *,
    rows: Labels | None = None,
    validation: tuple[Features, Any] | None = None,
    recipe: str | LinearRecipe = "dino",
    columns: Mapping[str, slice] | None = None,
    views: Sequence[Features] = (),
    seed: int = 0,
    groups: Labels | None = None,
    interval: ClassifierInterval | None = None,
    device: str | torch.device = "auto",
    progress: Progress | None = None,
    unfinished: State | None = None,
) -> SeveralLabelsResult:
    """Evaluates a linear classifier of several labels that SGD trains on frozen embeddings.

    As `evaluate_linear`, with the binary cross-entropy of each label against its absence in place
    of the cross-entropy of classes. The losses are added over labels, not averaged: each label
    learns at the recipe's rate, as if it were alone. Images are ranked by a label's logit. Of
    several heads the one with the highest mAP on the validation images is scored; without
    validation images, on a tenth of train, drawn from the images of each label, with an image
    counted for the rarest of its labels.

    Args:
        train_features: Train embeddings, floats [N, D], numpy or torch.
        train_labels: Whether train image i has label j, booleans or 0 and 1, [N, L].
        test_features: Test embeddings, floats [M, D].
        test_labels: Labels of the test images, [M, L].
        rows: Rows of the train images to learn from, integers [n]; by default all.
        validation: Embeddings and labels of the images to choose on; a single head needs none.
        recipe: See `evaluate_linear`.
        columns: See `evaluate_linear`.
        views: See `evaluate_linear`.
        seed: Random seed of batches, first weights and the held-out tenth.
        groups: Group of each test image (patient, camera, burst), any integers, [M].
        interval: What another study would draw anew: test "images", their "groups" or "classes"
            (labels); by default groups where they are given, else images.
        device: Device to compute on; "auto" is a GPU if there is one.
        progress: Called with (steps done, steps) after each step.
        unfinished: See `evaluate_linear`.

    Returns:
        The mAP. `chosen` is as that of `evaluate_linear`, with mAP as the validation score.

    Raises:
        InputError: If shapes do not match, features are not finite floats, labels are not 0 and 1,
            no image of a part has a label, nothing can be learned or held out, training diverges,
            or an option is invalid.
        UnknownNameError: If `recipe` or `interval` is unknown.

    Example:
        >>> train = np.array([[1.0, 0.1], [1.0, 0.2], [0.1, 1.0]])
        >>> test = np.array([[1.0, 0.0], [0.0, 1.0]])
        >>> labels = [[1, 0], [1, 1], [0, 1]]
        >>> recipe = LinearRecipe((1.0,), batch_size=256)
        >>> found = evaluate_linear_several_labels(
        ...     train, labels, test, [[1, 0], [0, 1]], recipe=recipe
        ... )
        >>> found.metrics["mean_ap"]
        100.0
    """
    return evaluate_probe(
        SeveralLabels.of,
        BinaryCrossEntropies(),
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
