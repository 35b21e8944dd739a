"""Label errors: images whose nearest others have another class, judged by cleanlab.

The probabilities are out of sample: the nearest other images vote, never the image itself. The
thresholds are those of confident learning (Northcutt et al., "Confident Learning: Estimating
Uncertainty in Dataset Labels", JAIR 2021, arXiv 1911.00068).
"""

from dataclasses import dataclass

import numpy as np
from cleanlab.experimental.label_issues_batched import LabelInspector
from numpy.typing import NDArray

from lowlabel.analysis.outliers import NearestOthers
from lowlabel.errors import InputError

NEIGHBOURS = 20
TEMPERATURE = 0.07
LARGEST_SHARE = 0.05  # of the votes for the given label; a weak model is unsure of most labels
_BLOCK_CELLS = 2**22  # probabilities that are held at a time


@dataclass(frozen=True)
class LabelErrors:
    """How well the label of each image agrees with the images around it.

    Attributes:
        quality: Probability of the given label, float64 [N], from 0 to 1.
        suggested: The most probable label, int64 [N].
        flagged: Whether cleanlab finds an error and at most a twentieth of the votes are for the
            given label, [N].
    """

    quality: NDArray[np.float64]
    suggested: NDArray[np.int64]
    flagged: NDArray[np.bool_]


def find_label_errors(
    labels: NDArray[np.int64], others: NearestOthers, temperature: float = TEMPERATURE
) -> LabelErrors:
    """Finds images whose label disagrees with those of their nearest others.

    Each of the others votes with exp(cosine / temperature), as in `evaluate_knn`; shares of votes
    are the probabilities that cleanlab's `LabelInspector` judges, in blocks.

    Args:
        labels: Class of each image [N], any integers.
        others: The nearest others of each image.
        temperature: Temperature of the votes, above 0.

    Raises:
        InputError: If there are fewer than 2 classes.
    """
    classes, numbered = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise InputError(f"label errors need 2 classes, not {len(classes)}")
    inspector = LabelInspector(num_class=len(classes), verbose=False, n_jobs=1)
    step = max(1, _BLOCK_CELLS // len(classes))
    blocks = [slice(start, start + step) for start in range(0, len(labels), step)]
    for block in blocks:
        shares = _shares(numbered, others, block, len(classes), temperature)
        inspector.update_confident_thresholds(numbered[block], shares)
    quality, best = np.empty(len(labels)), np.empty(len(labels), np.int64)
    for block in blocks:
        shares = _shares(numbered, others, block, len(classes), temperature)
        quality[block] = np.take_along_axis(shares, numbered[block, None], axis=1)[:, 0]
        best[block] = shares.argmax(axis=1)
        inspector.score_label_quality(numbered[block], shares)
    flagged = np.zeros(len(labels), dtype=bool)
    flagged[inspector.get_label_issues()] = True
    flagged &= (best != numbered) & (quality <= LARGEST_SHARE)
    return LabelErrors(quality, classes[best], flagged)


def _shares(
    labels: NDArray[np.int64], others: NearestOthers, block: slice, classes: int, temperature: float
) -> NDArray[np.float64]:
    """Shares of the votes by class, [block, classes]."""
    cosines, rows = others.cosines[block], others.rows[block]
    votes = np.exp((cosines - cosines[:, :1]) / temperature)
    shares: NDArray[np.float64] = np.zeros((len(rows), classes))
    np.add.at(shares, (np.arange(len(rows))[:, None], labels[rows]), votes)
    shares /= shares.sum(axis=1, keepdims=True)
    return shares
