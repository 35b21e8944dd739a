"""Normalisation of features before classification."""

from torch import Tensor
from torch.nn.functional import normalize

from lowlabel.errors import InputError

FEATURE_NORMS = ("none", "l2", "tukey", "tukey-l2")


def apply_norm(features: Tensor, norm: str) -> Tensor:
    """Normalises each row: "none", "l2" (length 1), "tukey" (square root), or "tukey-l2" (both).

    Raises:
        InputError: If the norm includes "tukey" and an entry is negative.
    """
    if norm.startswith("tukey"):
        features = tukey(features, 0.5)
    return unit_rows(features) if norm.endswith("l2") else features


def unit_rows(features: Tensor) -> Tensor:
    """Scales the last dimension to Euclidean length 1; a zero row stays zero."""
    return normalize(features, dim=-1)


def tukey(features: Tensor, power: float) -> Tensor:
    """Tukey's ladder of powers, x ↦ x^power, which brings skewed features closer to a Gaussian.

    John W. Tukey. Exploratory Data Analysis. Addison-Wesley 1977.

    Raises:
        InputError: If an entry is negative.
    """
    negative = int((features < 0).any(-1).sum())
    if negative:
        raise InputError(
            f"Tukey's power needs features of at least 0, but {negative} of {len(features)} rows "
            f"have negative entries, the lowest {features.min().item():.3g}",
            "Embeddings of a vision transformer have both signs: use dc-sslvit instead of dc, "
            "norm=l2 instead of tukey.",
        )
    return features**power
