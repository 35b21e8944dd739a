"""Chooses a method by cross-validation, and estimates its accuracy where nothing was chosen."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from lowlabel.arrays import Features, Labels, as_integers, as_labels, as_seed
from lowlabel.classification.budget.learner import Learner
from lowlabel.classification.predict.calibration import fit_scale
from lowlabel.classification.predict.candidates import (
    DEFAULT_METHODS,
    Classifier,
    build_classifiers,
)
from lowlabel.classification.predict.crossed import Crossed
from lowlabel.classification.predict.expected import wilson
from lowlabel.classification.predict.folds import ALWAYS, stratified_folds
from lowlabel.classification.predict.labelled import Labelled
from lowlabel.errors import InputError
from lowlabel.fewshot import Method
from lowlabel.progress import Progress

_MOST_SCORES = 2**26  # that the scale is fitted to
_FOLDS_OF_CHOICE = 3  # one to score, and two to choose on


@dataclass(frozen=True)
class MethodChoice:
    """A method, and what to expect of it.

    Attributes:
        method: Its spec.
        accuracy: Expected accuracy in percent, by nested cross-validation; NaN if no class has two
            images, or groups.
        interval: Its 95 % interval, (low, high) in percent.
        definition: The formula of the interval in words.
        tried: Accuracy of each method in plain cross-validation, by spec, in percent. The largest
            is too high an estimate, since it was chosen for being the largest.
        chosen: The method that was chosen without each fold.
        folds: Number of folds; 0 without cross-validation.
        scored: Number of labelled images that were scored.
        unscored_classes: Labels of the classes with one image, or group: they are learned and
            predicted, but were not scored.
        scale: Factor of scores before the softmax; NaN if it could not be fitted.
        left_out: Why a method was not tried, by spec.
    """

    method: str
    accuracy: float = math.nan
    interval: tuple[float, float] = (math.nan, math.nan)
    definition: str = "none: no class has two images that can be told apart"
    tried: Mapping[str, float] = field(default_factory=dict)
    chosen: tuple[str, ...] = ()
    folds: int = 0
    scored: int = 0
    unscored_classes: tuple[int, ...] = ()
    scale: float = math.nan
    left_out: Mapping[str, str] = field(default_factory=dict)


@torch.inference_mode()
def choose_method(
    features: Features,
    labels: Labels,
    *,
    methods: str | Learner | Method | Sequence[str | Learner | Method] = DEFAULT_METHODS,
    folds: int = 5,
    groups: Labels | None = None,
    seed: int = 0,
    device: str | torch.device = "auto",
    progress: Progress | None = None,
) -> MethodChoice:
    """Chooses the method with the highest accuracy in stratified cross-validation.

    The expected accuracy is that of nested cross-validation: each fold is scored by the method
    that the other folds alone choose (Sudhir Varma, Richard Simon. Bias in error estimation when
    using cross-validation for model selection. BMC Bioinformatics 7, 2006). The inner folds are
    the outer ones, so that a fit without two folds serves both. Methods learn from fewer images
    here than they do later, so the estimate is rather too low than too high.

    Args:
        features: Embeddings of labelled images, floats [N, D], numpy or torch.
        labels: Class of each, any integers, [N]. Classes may differ in size.
        methods: Specs of inductive few-shot methods ("ridge,norm=l2") and "knn", or built ones; of
            equally good ones the first is chosen. With a single one nothing is chosen.
        folds: Number of folds, at least 3; fewer where no class has as many images. With two, a
            choice could not be scored: the first method is taken.
        groups: Group of each image (patient, camera, burst), any integers, [N]; no group is on both
            sides of a fold.
        seed: Random seed of the folds.
        device: Device to compute on; "auto" is a GPU if there is one.
        progress: Called with (fits done, fits).

    Raises:
        InputError: If arrays or options are invalid, there is one class, or a method cannot label
            new images; if no method can learn from these embeddings.
        UnknownNameError: If there is no such method.

    Example:
        >>> labels = np.repeat(np.arange(3), 5)
        >>> choose_method(np.eye(3)[labels], labels, methods=("ncm", "knn")).method
        'ncm'
    """
    (folds,), seed = as_integers(_FOLDS_OF_CHOICE, folds=folds), as_seed(seed)
    images = Labelled.of(features, labels, seed, device)
    group_of = None if groups is None else as_labels(groups, len(images.classes), "groups")
    learners, left_out = _usable(build_classifiers(methods), images)
    fold = stratified_folds(images.classes, group_of, folds, seed)
    scored = np.flatnonzero(fold != ALWAYS)
    lone = tuple(images.labels[np.unique(images.classes[fold == ALWAYS])].tolist())
    if not len(scored):
        return MethodChoice(learners[0].spec, unscored_classes=lone, left_out=left_out)
    count = int(fold.max()) + 1
    if count < _FOLDS_OF_CHOICE:
        reason = "it was not chosen from: no class has three images, or groups"
        left_out |= {each.spec: reason for each in learners[1:]}
        learners = learners[:1]
    crossed = Crossed.of(images, learners, fold, progress)
    correct = crossed.nested()[scored]
    best = crossed.best()
    low, high, definition = wilson(correct, None if group_of is None else group_of[scored])
    return MethodChoice(
        learners[best].spec,
        100 * float(correct.mean()),
        (low, high),
        definition,
        tried={
            each.spec: 100 * float(right[scored].mean())
            for each, right in zip(learners, crossed.correct, strict=True)
        },
        chosen=tuple(learners[place].spec for place in crossed.chosen()),
        folds=count,
        scored=len(scored),
        unscored_classes=lone,
        scale=_scale(images, learners[best], fold),
        left_out=left_out,
    )


def _usable(
    learners: Sequence[Classifier], images: Labelled
) -> tuple[tuple[Classifier, ...], dict[str, str]]:
    """The methods that can learn from the images, and why others cannot."""
    reasons = {each.spec: images.reason_against(each, images.features) for each in learners}
    usable = tuple(each for each in learners if not reasons[each.spec])
    left_out = {spec: reason for spec, reason in reasons.items() if reason}
    if not usable:
        listed = "; ".join(f"{spec}: {reason}" for spec, reason in left_out.items())
        raise InputError(f"no method can learn from these embeddings: {listed}")
    return usable, left_out


def _scale(images: Labelled, learner: Classifier, fold: NDArray[np.int64]) -> float:
    """Fits the scale to the scores of images that the method did not learn from."""
    scores, classes, held = [], [], 0
    for number in range(int(fold.max()) + 1):
        rows = np.flatnonzero(fold == number)
        new = images.features[torch.from_numpy(rows).to(images.device)]
        _, blocks = images.scores(learner, np.flatnonzero(fold != number), new)
        scores.append(torch.cat([block.float() for block in blocks]))
        classes.append(torch.from_numpy(images.classes[rows]).to(images.device))
        held += scores[-1].numel()
        if held > _MOST_SCORES:
            break
    return fit_scale(torch.cat(scores), torch.cat(classes))
