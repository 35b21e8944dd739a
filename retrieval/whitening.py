"""Whitening as a function, for protocols whose images pass by in blocks."""

from collections.abc import Callable

import torch
from torch import Tensor

from lowlabel.devices import resolve_device
from lowlabel.errors import InputError
from lowlabel.retrieval.inputs import Array, as_features
from lowlabel.retrieval.post import Embedded, build_post
from lowlabel.retrieval.post.base import unit
from lowlabel.retrieval.post.whiten import Whitening


def learn_whitening(
    train: Array,
    gallery: Array,
    spec: str = "whiten",
    *,
    device: str | torch.device = "auto",
) -> Callable[[Tensor], Tensor]:
    """Learns what `evaluate_revisited` and `evaluate_copies` take as `transform`.

    Args:
        train: Floats [T, D], of other images than those searched.
        gallery: Floats [G, D], only to see that they are others.
        spec: "whiten" with its options, as "whiten:256,covariance=reference".
        device: Where to compute; that of the evaluation.

    Raises:
        InputError: If `spec` is no whitening, the training images are fewer than their dimensions,
            of another width, or those searched.
    """
    post = build_post(spec)
    if not isinstance(post, Whitening):
        raise InputError(f"{spec} is no whitening", "Landmarks and copies take whiten only.")
    place = resolve_device(device)
    learnt, searched = (
        unit(as_features(rows, name).to(place))
        for rows, name in ((train, "train features"), (gallery, "gallery"))
    )
    return post.projection(Embedded(searched, searched, own=False, train=learnt))
