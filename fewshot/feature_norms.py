"""Normalisation of features before classification."""

from torch import Tensor

from lowlabel.scale import order_one, unit

FEATURE_NORMS = ("none", "l2", "tukey", "tukey-l2")


def apply_norm(features: Tensor, norm: str) -> Tensor:
    """Normalises each row: "none", "l2" (length 1), "tukey" (square root), or "tukey-l2" (both)."""
    if norm == "tukey-l2":
        features = order_one(features)  # or rounding of the root would depend on the scale
    if norm.startswith("tukey"):
        features = tukey(features, 0.5)
    return unit(features) if norm.endswith("l2") else features


def tukey(features: Tensor, power: float) -> Tensor:
    """Tukey's ladder of powers, x ↦ x^power, which brings skewed features closer to a Gaussian.

    John W. Tukey. Exploratory Data Analysis. Addison-Wesley 1977. Features are at least 0.
    """
    return features**power
