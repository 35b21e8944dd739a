"""Post-processing as a function of rows, for protocols that read images in blocks."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from lowlabel.arrays import Features, Labels
from lowlabel.errors import InputError
from lowlabel.retrieval.post import Compression, PostProcessing, build_chain
from lowlabel.retrieval.post.projection import Projection
from lowlabel.retrieval.whitening import learn_whitening
from lowlabel.scale import unit


def learn_transform(
    post: str | PostProcessing | Sequence[str | PostProcessing],
    gallery: Features,
    *,
    train: Features | None = None,
    train_labels: Labels | None = None,
    device: str | torch.device = "auto",
) -> Callable[[Tensor], Tensor]:
    """Makes the `transform` that `evaluate_revisited` and `evaluate_copies` take.

    Each step gets rows of length 1, as in `evaluate_retrieval`, but for whitening that takes the
    model's own.

    Args:
        post: One whitening at most, which comes first, then compressions, or specs: ("whiten:256",
            "int8").
        gallery: Floats [G, D], used only to check that the training images are others.
        train: Floats [T, D] of other images than those searched, for whitening.
        train_labels: See `learn_whitening`.
        device: Device to compute on; use the one of the evaluation.

    Raises:
        InputError: If a step takes more than a row, whitening is not the first or has nothing to
            learn from, or as `learn_whitening`.
    """
    steps = build_chain(post)
    if reason := unfit_steps(steps):
        raise InputError(reason)
    functions: list[Callable[[Tensor], Tensor]] = []
    for step in steps:
        if isinstance(step, Compression):
            functions.append(step.compress)
            continue
        if train is None:
            raise InputError(f"{step.spec} has no images to learn from", "Pass train=features.")
        functions.append(
            learn_whitening(train, gallery, step, train_labels=train_labels, device=device)
        )

    def transform(rows: Tensor) -> Tensor:
        for step, function in zip(steps, functions, strict=True):
            rows = function(unit(rows) if isinstance(step, Compression) else rows)
        return rows

    return transform


def unfit_steps(steps: Sequence[PostProcessing]) -> str | None:
    """Why steps cannot change rows in blocks; None if they can."""
    others = [each.spec for each in steps if not isinstance(each, Projection | Compression)]
    if others:
        return (
            f"takes --post whiten or whiten-pairs, truncate, int8 and binary, not "
            f"{', '.join(others)}."
        )
    late = [each.spec for each in steps[1:] if isinstance(each, Projection)]
    if late:
        return f"takes one whitening, before truncate, int8 and binary: put {late[0]} first."
    return None
