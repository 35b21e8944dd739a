"""Weighted k-nearest-neighbour classification, the protocol of DINO."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lowlabel.classification.inputs import Embeddings, Features, Labels, check_block_size, check_ks
from lowlabel.classification.nearest_train import nearest
from lowlabel.classification.result import KNNResult
from lowlabel.devices import resolve_device
from lowlabel.errors import InputError

DEFAULT_KS = (10, 20, 100, 200)
_TOPS = (1, 5)
_BLOCK_ROWS = {"cpu": 512}
_ACCELERATOR_ROWS = 4096
_EQUAL_VOTES = 1e-12  # relative; far above the rounding of a sum, far below a neighbour's share


@torch.inference_mode()
def evaluate_knn(
    train_features: Features,
    train_labels: Labels,
    test_features: Features,
    test_labels: Labels,
    *,
    k: int | Sequence[int] = 20,
    temperature: float = 0.07,
    clip_k: bool = False,
    block_size: int | None = None,
    device: str | torch.device = "auto",
    progress: Callable[[int, int], object] | None = None,
) -> KNNResult:
    """Accuracy of classifying test images by the classes of their nearest train images.

    Each of the k most similar train images votes for its class with exp(cosine / temperature)
    (Caron et al., "Emerging Properties in Self-Supervised Vision Transformers", ICCV 2021,
    arXiv 2104.14294, who take k from 10, 20, 100, 200 and the temperature 0.07). Similarities are
    in float64; of equally similar images the one that stands first is nearer, of classes with
    equal votes the one of the lower label is chosen. Top-5 counts classes that have a vote only.

    Args:
        train_features: Floats [N, D], numpy or torch; their lengths do not matter.
        train_labels: Integers [N], any values.
        test_features: Floats [M, D].
        test_labels: Integers [M].
        k: Number of neighbours, or several.
        temperature: Above 0; the smaller, the more the nearest neighbours decide.
        clip_k: Takes all N train images where k is larger than N; an error by default.
        block_size: Test images at once; by default 512 on a CPU, 4096 elsewhere.
        device: Where to compute; "auto" is a GPU when there is one.
        progress: Called with the number of test images done and their total.

    Returns:
        Top-1 and top-5 accuracy for each k, in percent, and which test images were right.

    Raises:
        InputError: If shapes do not fit, features are no finite floats or all zero, labels are no
            integers, no test image has a class of the train images, or an option does not fit.

    Example:
        >>> train = np.array([[1.0, 0.1], [1.0, 0.2], [0.1, 1.0]])
        >>> test = np.array([[1.0, 0.0], [0.0, 1.0]])
        >>> evaluate_knn(train, [7, 7, 9], test, [7, 9], k=2).metrics["top1@2"]
        100.0
    """
    if not (isinstance(temperature, int | float) and 0 < temperature < math.inf):
        raise InputError(f"temperature={temperature!r} must be a finite number above 0")
    place = resolve_device(device)
    train = Embeddings.of(train_features, train_labels, place, "train")
    test = Embeddings.of(test_features, test_labels, place, "test")
    _require_same_width(train, test)
    ks = check_ks(k, len(train), clip_k)
    rows = check_block_size(block_size, _BLOCK_ROWS.get(place.type, _ACCELERATOR_ROWS))
    classes, train_classes, test_classes = _number_classes(train.labels, test.labels)

    voters = torch.from_numpy(train_classes).to(place)
    wanted = torch.from_numpy(test_classes).to(place)
    ranks = np.empty((len(ks), len(test)), np.int64)
    for block, cosines, neighbours in nearest(train, test, max(ks), rows):
        weights = ((cosines - cosines[:, :1]) / temperature).exp()
        for row, count in enumerate(ks):
            votes = weights.new_zeros(len(weights), classes)
            votes.scatter_add_(1, voters[neighbours[:, :count]], weights[:, :count])
            ranks[row, block] = _ranks(votes, wanted[block]).cpu().numpy()
        if progress is not None:
            progress(block.stop, len(test))
    correct = {
        f"top{top}@{count}": ranks[row] < top for top in _TOPS for row, count in enumerate(ks)
    }
    return KNNResult(correct, ks, float(temperature), classes, int((test_classes < 0).sum()))


def _ranks(votes: Tensor, wanted: Tensor) -> Tensor:
    """How many classes stand before the wanted one [B]; all of them where it has no vote."""
    classes = torch.arange(votes.shape[1], device=votes.device)
    own = votes.gather(1, wanted.clamp(min=0)[:, None])
    margin = _EQUAL_VOTES * own
    before = votes > own + margin
    before |= (votes >= own - margin) & (classes < wanted[:, None])
    voted = (own[:, 0] > 0) & (wanted >= 0)
    return torch.where(voted, before.sum(1), torch.iinfo(torch.int64).max)


def _number_classes(
    train: NDArray[np.int64], test: NDArray[np.int64]
) -> tuple[int, NDArray[np.int64], NDArray[np.int64]]:
    """Number of train classes, and both sets' labels as 0, 1, …; -1 for a class not in train."""
    classes, numbered = np.unique(train, return_inverse=True)
    places = np.searchsorted(classes, test).clip(max=len(classes) - 1)
    known = classes[places] == test
    if not known.any():
        raise InputError(
            f"none of the {len(test)} test images has a class of the {len(train)} train images: "
            f"train labels are {classes[0]} to {classes[-1]}, test labels {test.min()} to "
            f"{test.max()}",
            "Number the classes of both sets alike.",
        )
    return len(classes), numbered.astype(np.int64), np.where(known, places, -1)


def _require_same_width(train: Embeddings, test: Embeddings) -> None:
    widths = train.raw.shape[1], test.raw.shape[1]
    if widths[0] != widths[1]:
        raise InputError(
            f"train features have {widths[0]} dimensions, test features {widths[1]}",
            "Take both from the same model.",
        )
