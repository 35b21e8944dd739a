"""Labels of new images, with scores."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from lowlabel.arrays import Features, Labels, as_seed, require_same_width
from lowlabel.classification.budget.learner import Learner
from lowlabel.classification.predict.calibration import probabilities
from lowlabel.classification.predict.candidates import DEFAULT_METHODS, build_classifiers
from lowlabel.classification.predict.choice import MethodChoice, choose_method
from lowlabel.classification.predict.labelled import Labelled, with_direction
from lowlabel.errors import InputError
from lowlabel.fewshot import Method
from lowlabel.progress import Progress


@dataclass(frozen=True, eq=False)
class Predictions:
    """Labels of new images.

    Attributes:
        labels: Label of each image, int64 [M].
        scores: Its probability, softmax of the method's scores at the scale that fits the labelled
            images; of scores as they are if `choice.scale` is NaN. float64 [M].
        runners_up: The second label of each image, int64 [M].
        runner_up_scores: Its probability, float64 [M].
        choice: The method, and the accuracy to expect.
    """

    labels: NDArray[np.int64]
    scores: NDArray[np.float64]
    runners_up: NDArray[np.int64]
    runner_up_scores: NDArray[np.float64]
    choice: MethodChoice


@torch.inference_mode()
def predict_labels(
    features: Features,
    labels: Labels,
    new_features: Features,
    *,
    choice: MethodChoice | None = None,
    methods: str | Learner | Method | Sequence[str | Learner | Method] = DEFAULT_METHODS,
    folds: int = 5,
    groups: Labels | None = None,
    seed: int = 0,
    device: str | torch.device = "auto",
    progress: Progress | None = None,
) -> Predictions:
    """Labels new images with a method that learns from all labelled ones.

    Args:
        features: Embeddings of labelled images, floats [N, D], numpy or torch.
        labels: Class of each, any integers, [N].
        new_features: Embeddings of images without a label, floats [M, D].
        choice: What `choose_method` found for these images; by default it is called.
        methods: See `choose_method`.
        folds: See `choose_method`.
        groups: See `choose_method`.
        seed: Random seed of the folds.
        device: Device to compute on; "auto" is a GPU if there is one.
        progress: Called with (fits done, fits) while a method is chosen.

    Raises:
        InputError: As `choose_method`; if the embeddings differ in width, or new ones are invalid
            or all zero.

    Example:
        >>> labels = np.repeat(np.arange(3), 5)
        >>> predict_labels(np.eye(3)[labels], labels, np.eye(3)).labels
        array([0, 1, 2])
    """
    seed = as_seed(seed)
    images = Labelled.of(features, labels, seed, device)
    new = with_direction(new_features, "new_features", images.device)
    require_same_width({"features": images.features.shape[1], "new features": new.shape[1]})
    if choice is None:
        choice = choose_method(
            features,
            labels,
            methods=methods,
            folds=folds,
            groups=groups,
            seed=seed,
            device=device,
            progress=progress,
        )
    (learner,) = build_classifiers(choice.method)
    if reason := images.reason_against(learner, new):
        raise InputError(f"{learner.spec} cannot label these images: {reason}")
    scale = 1.0 if math.isnan(choice.scale) else choice.scale
    _, blocks = images.scores(learner, np.arange(len(images.classes)), new)
    rows = torch.arange(len(new), device=images.device)
    found: list[list[torch.Tensor]] = [[], [], [], []]
    for scores in blocks:
        shares, each = probabilities(scores, scale), rows[: len(scores)]
        first = scores.argmax(1)
        second = scores.index_put((each, first), scores.new_tensor(-math.inf)).argmax(1)
        for part, values in zip(
            found, (first, shares[each, first], second, shares[each, second]), strict=True
        ):
            part.append(values)
    best, share, next_best, next_share = (torch.cat(part).cpu().numpy() for part in found)
    return Predictions(images.labels[best], share, images.labels[next_best], next_share, choice)
