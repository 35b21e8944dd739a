"""Images of a test set that pretraining data hold too, exactly or nearly."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from lowlabel.analysis.bad_data.duplicates import ROUNDING, near_threshold
from lowlabel.analysis.outliers import nearest_others
from lowlabel.arrays import Features, as_features, require_same_width
from lowlabel.devices import scoring_device
from lowlabel.embeddings import Embeddings
from lowlabel.errors import InputError

_BLOCK_ROWS = 1024


@dataclass(frozen=True)
class Leakage:
    """The image of the pretraining data that is nearest to each test image.

    Attributes:
        rows: Its row, int64 [N]; of equally near ones the first.
        distances: Its cosine distance, float64 [N], from 0 to 2.
        threshold: Largest distance of near duplicates.
        exact: Whether the pretraining data have an image of the same content, [N], whose row
            then stands in `rows`.
    """

    rows: NDArray[np.int64]
    distances: NDArray[np.float64]
    threshold: float
    exact: NDArray[np.bool_]

    @property
    def near(self) -> NDArray[np.bool_]:
        """Whether each test image has a near duplicate and no exact one, [N]."""
        return ~self.exact & (self.distances <= self.threshold + ROUNDING)


@torch.inference_mode()
def find_leakage(
    test: Features,
    blocks: Iterable[Features],
    contents: tuple[list[bytes], list[bytes]],
    *,
    distance: float | None = None,
    device: str | torch.device = "auto",
) -> Leakage:
    """Finds the nearest image of the pretraining data for each test image.

    Args:
        test: Embeddings of the test images, floats [N, D].
        blocks: Embeddings of the pretraining data, block by block, [M, D] together.
        contents: Hashes of the contents of the test images [N] and of the pretraining data [M].
        distance: Largest cosine distance of near duplicates; by default 0.13 × the median
            distance from a test image to the nearest other one.
        device: Device to compute on.

    Raises:
        InputError: If there is one test image and no distance, or embeddings do not fit.
    """
    place = scoring_device(device)
    rows = Embeddings.of(as_features(test, "test features").to(place), "test features")
    if len(rows) < 2 and distance is None:
        raise InputError(
            "1 test image has no other that tells how near two images usually are",
            "Give the largest distance of near duplicates: --distance 0.01",
        )
    usual = np.zeros(1) if distance is not None else 1 - nearest_others(test, 1).cosines[:, 0]
    threshold = near_threshold(np.maximum(usual, 0.0), distance)
    best = torch.full((len(rows),), torch.inf, dtype=torch.float64, device=place)
    found = torch.full((len(rows),), -1, dtype=torch.int64, device=place)
    searched = 0
    for given in blocks:
        block = Embeddings.of(as_features(given, "searched features").to(place), "searched ones")
        require_same_width({"test features": rows.dimensions, "searched ones": block.dimensions})
        _take_nearer(rows, block, searched, best, found)
        searched += len(block)
    if not searched:
        raise InputError("the pretraining data have no readable image")
    ours, theirs = contents
    first: dict[bytes, int] = {}
    for row, content in enumerate(theirs):
        first.setdefault(content, row)
    twins = np.array([first.get(content, -1) for content in ours], dtype=np.int64)
    exact = twins >= 0
    nearest = np.where(exact, twins, found.cpu().numpy())
    return Leakage(nearest, np.maximum(best.cpu().numpy(), 0.0), threshold, exact)


def _take_nearer(
    rows: Embeddings, block: Embeddings, offset: int, best: torch.Tensor, found: torch.Tensor
) -> None:
    """Puts what is nearer in a block into `best` and `found`."""
    unit = block.raw.double() / block.norm[:, None]
    for start in range(0, len(rows), _BLOCK_ROWS):
        part = slice(start, min(start + _BLOCK_ROWS, len(rows)))
        own = rows.raw[part].double() / rows.norm[part, None]
        distance, index = (1 - own @ unit.T).min(dim=1)
        nearer = distance < best[part]
        best[part] = torch.where(nearer, distance, best[part])
        found[part] = torch.where(nearer, offset + index, found[part])
