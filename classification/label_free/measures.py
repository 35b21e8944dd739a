"""All label-free measures of one table of embeddings."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lowlabel.arrays import (
    Features,
    Labels,
    as_features,
    as_integers,
    as_labels,
    as_seed,
    refuse_rows,
)
from lowlabel.classification.label_free import geometry, spectrum
from lowlabel.devices import scoring_device
from lowlabel.errors import InputError
from lowlabel.intervals import normal
from lowlabel.precision import full_precision
from lowlabel.scale import magnitudes

ALPHA_RANKS = (4, 100)
PAIR_IMAGES = 10_000
CI95_DEFINITION = (
    "1.96·σ/√n over images by the delta method, σ with ddof=1; none for functions of the spectrum"
)


@dataclass(frozen=True, eq=False)
class LabelFreeResult:
    """Measures of embeddings. None is a percentage.

    Attributes:
        metrics: By measure; one that is undefined is not there. See `label_free_measures`.
        undefined: By measure that is not in `metrics`, the reason.
        per_image: By measure that is a mean over images or pairs, a value of each image [N] whose
            mean is the measure; NaN for images that take no part.
        images: N.
        fitted: Number of eigenvalues in the slope α.
    """

    metrics: Mapping[str, float]
    undefined: Mapping[str, str]
    per_image: Mapping[str, NDArray[np.float64]]
    images: int
    fitted: int

    @property
    def ci95(self) -> dict[str, float]:
        """Half-width of each 95 % confidence interval; NaN for functions of the spectrum.

        The spectrum of a sample is biased: an interval over images would miss that of more images.
        """
        found = dict.fromkeys(self.metrics, math.nan)
        return found | {name: normal(values) for name, values in self.per_image.items()}

    @property
    def ci95_definition(self) -> str:
        """The formula of `ci95`."""
        return CI95_DEFINITION


@torch.inference_mode()
def label_free_measures(
    features: Features,
    labels: Labels | None = None,
    *,
    alpha_ranks: tuple[int, int] = ALPHA_RANKS,
    pair_images: int = PAIR_IMAGES,
    seed: int = 0,
    device: str | torch.device = "auto",
) -> LabelFreeResult:
    """Measures embeddings without a classifier, in float64.

    With s the singular values of the features as they are, λ the eigenvalues of their covariance,
    and x a row of length 1:

    - `rankme`: exp of the entropy of p = s/Σs + 1e-7 (Garrido et al., "RankMe", ICML 2023, arXiv
      2210.02885), on all images where the authors take 25,600.
    - `effective_rank`: the same of the centred features and without 1e-7 (Roy and Vetterli, "The
      effective rank", EUSIPCO 2007).
    - `alpha_req`: α of λ_k ∝ k^−α (Agrawal et al., "α-ReQ", NeurIPS 2022), by the weighted fit of
      their code over its ranks, 4 to 100. `alpha_from_1`: |α − 1|, which they find to be small for
      good embeddings.
    - `nesum`: Σλ/λ₁ (He and Ozay, "Exploring the Gap between Collapsed & Whitened Features in
      Self-Supervised Learning", ICML 2022).
    - `stable_rank`: Σs²/s₁² (Tsitsulin et al., "Unsupervised Embedding Quality Evaluation",
      TAG-ML 2023, arXiv 2305.16562).
    - `feature_std`: standard deviation of each dimension of x, averaged (Chen and He, "Exploring
      Simple Siamese Representation Learning", CVPR 2021, arXiv 2011.10566): 0 for collapsed
      embeddings, 1/√D for evenly spread ones.
    - `uniformity`: log of the mean of exp(−2·‖x − y‖²) over pairs of images (Wang and Isola,
      "Understanding Contrastive Representation Learning through Alignment and Uniformity on the
      Hypersphere", ICML 2020, arXiv 2005.10242); smaller is more uniform.
    - `class_alignment`: mean of ‖x − y‖² over pairs of one class, each image counting alike. It
      takes labels: the paper's pairs are two views of one image.

    Singular values below 1e-7 of the largest count as zero; see
    `lowlabel.classification.label_free.spectrum`.

    Args:
        features: Embeddings of any length, floats [N, D], numpy or torch.
        labels: Class of each image, any integers, [N]; without them there is no `class_alignment`.
        alpha_ranks: First and last rank of the fit of α, from 1. It ends at the last eigenvalue
            above zero if that comes first.
        pair_images: Number of images whose pairs `uniformity` takes; drawn if there are more.
        seed: Random seed of the draw.
        device: Device to compute on; "auto" is a GPU if there is one.

    Returns:
        The measures, and those that are undefined with the reason.

    Raises:
        InputError: If features are not floats, not finite or all zero, labels are not integers, or
            an option is invalid.

    Example:
        >>> round(label_free_measures(np.eye(4)).metrics["rankme"], 4)
        4.0
    """
    first, last = as_integers(1, first=alpha_ranks[0], last=alpha_ranks[1])
    if last <= first:
        raise InputError(f"alpha_ranks={alpha_ranks} must be two ranks, the smaller first")
    as_integers(2, pair_images=pair_images)
    seed = as_seed(seed)
    table = as_features(features).to(scoring_device(device))
    largest = magnitudes(table)[:, 0]
    refuse_rows(~largest.isfinite(), "features", "hold NaN or infinite values")
    refuse_rows(largest == 0, "features", "are all zero and have no direction")
    classes = None if labels is None else as_labels(labels, len(table))
    with full_precision():
        raw, centred = spectrum.spectra(table)
        per_image = _per_image(table, classes, pair_images, seed)
    alpha, fitted = spectrum.decay(centred, first, last)
    values = {
        "rankme": spectrum.rankme(raw),
        "effective_rank": spectrum.effective_rank(centred),
        "alpha_req": alpha,
        "alpha_from_1": abs(alpha - 1),
        "nesum": spectrum.stable_rank(centred),
        "stable_rank": spectrum.stable_rank(raw),
        **{name: float(np.nanmean(each)) for name, each in per_image.items()},
    }
    reasons = _reasons(table, classes, fitted, first)
    metrics = {name: value for name, value in values.items() if not math.isnan(value)}
    undefined = {name: reason for name, reason in reasons.items() if name not in metrics}
    return LabelFreeResult(metrics, undefined, per_image, len(table), fitted)


def _per_image(
    table: Tensor, classes: NDArray[np.int64] | None, pair_images: int, seed: int
) -> dict[str, NDArray[np.float64]]:
    """The measures that are means, by image; without those that are undefined."""
    if len(table) == 1:
        return {}
    found = {
        "feature_std": geometry.feature_std(table),
        "uniformity": geometry.uniformity(table, drawn_rows(len(table), pair_images, seed)),
    }
    if classes is not None and len(np.unique(classes)) < len(classes):
        found["class_alignment"] = geometry.class_alignment(table, classes)
    return {name: values.cpu().numpy() for name, values in found.items()}


def drawn_rows(images: int, most: int, seed: int) -> NDArray[np.int64]:
    """All rows, or `most` of them drawn without replacement, ascending."""
    if images <= most:
        return np.arange(images)
    return np.sort(np.random.default_rng(seed).permutation(images)[:most])


def _reasons(
    table: Tensor, classes: NDArray[np.int64] | None, fitted: int, first: int
) -> dict[str, str]:
    """Why each measure that can be undefined is so, if it is."""
    spread = "there is one image" if len(table) == 1 else "all embeddings are equal"
    few = f"{fitted} eigenvalues above zero from rank {first} on are no slope"
    pairs = {"feature_std": spread, "uniformity": spread}
    if classes is not None:
        pairs["class_alignment"] = f"none of {len(np.unique(classes))} classes has two images"
    slope = dict.fromkeys(("alpha_req", "alpha_from_1"), few)
    return {"effective_rank": spread, "nesum": spread, **slope, **pairs}
