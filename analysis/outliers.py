"""Outliers among embeddings: images far from their nearest others."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from lowlabel.arrays import Features, as_features, as_integers
from lowlabel.classification.nearest_train import nearest
from lowlabel.devices import scoring_device
from lowlabel.embeddings import Embeddings
from lowlabel.errors import InputError

_BLOCK_ROWS = 512
_ROUNDING = 1e-12  # far above the rounding of a cosine in float64, far below a distance that counts


class NearestOthers(NamedTuple):
    """The k nearest other images of each image.

    Attributes:
        cosines: Falling, float64 [N, k].
        rows: Their rows, int64 [N, k]; of equally near images the lower row comes first.
    """

    cosines: NDArray[np.float64]
    rows: NDArray[np.int64]


@dataclass(frozen=True)
class Outliers:
    """How far each image is from its nearest others.

    Attributes:
        distances: Mean cosine distance (1 - cosine, 0 to 2) to the k nearest others, float64 [N].
        threshold: Q3 + spread · IQR of the distances; images above it are outliers.
        k: Number of nearest others: the number requested, or all others where there are fewer.
    """

    distances: NDArray[np.float64]
    threshold: float
    k: int

    @classmethod
    def of(cls, cosines: NDArray[np.float64], spread: float = 1.7) -> "Outliers":
        """Flags outliers from the cosines of each image's nearest others.

        Args:
            cosines: As in `NearestOthers`, [N, k].
            spread: Factor of the interquartile range, 0 or more.

        Raises:
            InputError: If the spread is out of range.
        """
        if not 0 <= spread < np.inf:
            raise InputError(f"spread={spread!r} must be a finite number of at least 0")
        means = np.maximum((1 - cosines).mean(axis=1), 0.0)  # a cosine of equal rows can exceed 1
        lower, upper = np.quantile(means, (0.25, 0.75))
        return cls(means, float(upper + spread * (upper - lower)), cosines.shape[1])

    @property
    def flagged(self) -> NDArray[np.bool_]:
        """Whether each image is an outlier, [N]. Rounding of equal distances flags nothing."""
        return self.distances > self.threshold + _ROUNDING


def find_outliers(
    features: Features, *, k: int = 10, spread: float = 1.7, device: str | torch.device = "auto"
) -> Outliers:
    """Flags images whose mean cosine distance to their k nearest others is above Q3 + 1.7 · IQR.

    Q3 is the upper quartile of the distances and IQR its distance from the lower one, both
    interpolated linearly, as numpy does.

    Args:
        features: Embeddings of any length, floats [N, D], numpy or torch.
        k: Number of nearest others; all others where there are fewer.
        spread: Factor of the interquartile range, 0 or more.
        device: Device to compute on; "auto" is a GPU if there is one.

    Raises:
        InputError: If there are fewer than 2 images, features are not floats, not finite or all
            zero, or an option is out of range.

    Example:
        >>> find_outliers([[1.0, 0.0]] * 30 + [[0.0, 1.0]]).flagged.nonzero()[0].tolist()
        [30]
    """
    return Outliers.of(nearest_others(features, k, device=device).cosines, spread)


@torch.inference_mode()
def nearest_others(
    features: Features, k: int = 10, *, device: str | torch.device = "auto"
) -> NearestOthers:
    """Finds the k nearest other images of each image by cosine, in float64 and in blocks.

    Args:
        features: Embeddings of any length, floats [N, D], numpy or torch.
        k: Number of others; all others where there are fewer.
        device: Device to compute on.

    Raises:
        InputError: As `find_outliers`.
    """
    (k,) = as_integers(1, k=k)
    rows = Embeddings.of(as_features(features).to(scoring_device(device)), "features")
    if len(rows) < 2:
        raise InputError(
            "1 image has no others to compare it with", "Give a part with at least 2 images."
        )
    k = min(k, len(rows) - 1)
    unit = rows.raw.double() / rows.norm[:, None]
    cosines = np.empty((len(rows), k))
    found = np.empty((len(rows), k), dtype=np.int64)
    for block, _, others in nearest(rows, rows, k + 1, _BLOCK_ROWS):
        itself = others == torch.arange(block.start, block.stop, device=others.device)[:, None]
        # among more than k equal rows the image itself may be missing: the last one goes instead
        itself[:, -1] |= ~itself.any(dim=1)
        others = others[~itself].view(-1, k)
        exact = torch.einsum("qd,qkd->qk", unit[block], unit[others])
        order = exact.argsort(dim=1, descending=True, stable=True)
        cosines[block] = exact.gather(1, order).cpu().numpy()
        found[block] = others.gather(1, order).cpu().numpy()
    return NearestOthers(cosines, found)
