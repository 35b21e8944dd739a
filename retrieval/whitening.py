"""Whitening as a function, for protocols that read images in blocks."""

from collections.abc import Callable

import torch
from torch import Tensor

from lowlabel.arrays import Features, Labels, as_features, as_labels, refuse_rows
from lowlabel.devices import scoring_device
from lowlabel.errors import InputError
from lowlabel.retrieval.post import Embedded, PostProcessing, RawRows, build_post
from lowlabel.retrieval.post.projection import Projection
from lowlabel.scale import unit


def learn_whitening(
    train: Features,
    gallery: Features,
    spec: str | PostProcessing = "whiten",
    *,
    train_labels: Labels | None = None,
    device: str | torch.device = "auto",
) -> Callable[[Tensor], Tensor]:
    """Learns the `transform` that `evaluate_revisited` and `evaluate_copies` take.

    Args:
        train: Floats [T, D] of other images than those searched.
        gallery: Floats [G, D], used only to check that the training images are others.
        spec: Whitening, or its spec such as "whiten:256,covariance=reference", "whiten-pairs".
        train_labels: Integers [T], from which "whiten-pairs" takes its pairs.
        device: Device to compute on; use the one of the evaluation.

    Raises:
        InputError: If `spec` is not whitening, or the training features are not finite, fewer than
            their dimensions, of another width, or those of the images searched.
    """
    whitening = build_post(spec)
    if not isinstance(whitening, Projection):
        raise InputError(
            f"{whitening.spec} is not whitening",
            "Name whiten or whiten-pairs; learn_transform takes compressions too.",
        )
    device = scoring_device(device)
    train_rows = as_features(train, "train features").to(device)
    refuse_rows(~train_rows.isfinite().all(dim=1), "train features", "hold NaN or infinite values")
    labels = None
    if train_labels is not None:
        given = as_labels(train_labels, len(train_rows), "train labels")
        labels = torch.from_numpy(given).to(device)
    rows = as_features(gallery, "gallery features").to(device)
    searched = unit(rows)
    raw = RawRows(rows, rows, train_rows.to(rows))
    train_unit = unit(train_rows).to(rows)
    return whitening.projection(Embedded(searched, searched, False, train_unit, labels, raw))
