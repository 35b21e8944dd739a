"""Whitening as a function, for protocols that read images in blocks."""

from collections.abc import Callable

import torch
from torch import Tensor

from lowlabel.arrays import Features, as_features, refuse_rows
from lowlabel.devices import resolve_device
from lowlabel.errors import InputError
from lowlabel.retrieval.post import Embedded, PostProcessing, build_post
from lowlabel.retrieval.post.whiten import Whitening
from lowlabel.scale import unit


def learn_whitening(
    train: Features,
    gallery: Features,
    spec: str | PostProcessing = "whiten",
    *,
    device: str | torch.device = "auto",
) -> Callable[[Tensor], Tensor]:
    """Learns the `transform` that `evaluate_revisited` and `evaluate_copies` take.

    Args:
        train: Floats [T, D] of other images than those searched.
        gallery: Floats [G, D], used only to check that the training images are others.
        spec: Whitening, or its spec such as "whiten:256,covariance=reference".
        device: Device to compute on; use the one of the evaluation.

    Raises:
        InputError: If `spec` is not whitening, or the training features are not finite, fewer than
            their dimensions, of another width, or those of the images searched.
    """
    whitening = build_post(spec)
    if not isinstance(whitening, Whitening):
        raise InputError(
            f"{whitening.spec} is not whitening", "Landmarks and copies take whiten only."
        )
    device = resolve_device(device)
    train_rows = as_features(train, "train features").to(device)
    refuse_rows(~train_rows.isfinite().all(dim=1), "train features", "hold NaN or infinite values")
    searched = unit(as_features(gallery, "gallery features").to(device))
    return whitening.projection(
        Embedded(searched, searched, leave_one_out=False, train=unit(train_rows).to(searched))
    )
