"""Temperature scaling: from a method's scores to probabilities."""

import torch
from torch import Tensor

_LARGEST = 2.0**60


def fit_scale(scores: Tensor, classes: Tensor) -> float:
    """The factor of scores whose softmax fits the classes best.

    Chuan Guo, Geoff Pleiss, Yu Sun, Kilian Q. Weinberger. On Calibration of Modern Neural
    Networks. ICML 2017. arXiv:1706.04599. Targets are (n + 1)/(n + 2) for the class and the rest
    evenly for the others (John Platt. Probabilistic Outputs for Support Vector Machines. 1999), so
    that the factor stays finite where all of few images are right.

    Args:
        scores: Scores of images that the method did not learn from, [n, C].
        classes: Class of each, int64 [n].

    Returns:
        The factor, at least 0: 0 where scores say nothing of the classes.
    """
    from scipy.optimize import brentq

    values = scores.double()
    values = values - values.amax(1, keepdim=True)
    rest = 1 / (len(values) + 2)
    of_class = values.gather(1, classes[:, None])[:, 0]
    of_others = (values.sum(1) - of_class) / (values.shape[1] - 1)
    wanted = float(((1 - rest) * of_class + rest * of_others).mean())

    def slope(scale: float) -> float:
        """The derivative of the cross-entropy, which rises with the factor."""
        return float(((scale * values).softmax(1) * values).sum(1).mean()) - wanted

    if slope(0.0) >= 0:
        return 0.0
    high = 1.0
    while slope(high) < 0 and high < _LARGEST:
        high *= 2
    return float(brentq(slope, 0.0, high, rtol=1e-9)) if high < _LARGEST else high


def probabilities(scores: Tensor, scale: float) -> Tensor:
    """Softmax of scaled scores, float64 [B, C]."""
    values = scores.double()
    return torch.softmax(scale * (values - values.amax(1, keepdim=True)), 1)
