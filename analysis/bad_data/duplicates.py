"""Exact and near duplicates: of each group, the first image is kept and the others are flagged."""

from collections.abc import Hashable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from lowlabel.arrays import Features, as_features
from lowlabel.devices import scoring_device
from lowlabel.embeddings import Embeddings
from lowlabel.errors import InputError

NEAR_FRACTION = 0.13
ROUNDING = 1e-12  # far above the rounding of a cosine in float64, far below a distance that counts
_BLOCK_ROWS = 1024


def first_of_content(contents: Sequence[Hashable]) -> NDArray[np.int64]:
    """Row of the first image that has the content of each image, int64 [N].

    Args:
        contents: What identifies the content of each image, such as a hash of its file.
    """
    first: dict[Hashable, int] = {}
    rows = (first.setdefault(content, row) for row, content in enumerate(contents))
    return np.fromiter(rows, np.int64, len(contents))


def near_threshold(nearest: NDArray[np.float64], distance: float | None = None) -> float:
    """Cosine distance up to which two images are near duplicates.

    Args:
        nearest: Distance from each image to the nearest other, [N].
        distance: The distance, from 0 to 2; by default 0.13 × the median of `nearest`, the rule
            of cleanlab's Datalab (https://docs.cleanlab.ai).

    Raises:
        InputError: If the distance is out of range.
    """
    if distance is None:
        return NEAR_FRACTION * float(np.median(nearest))
    if not 0 <= distance <= 2:
        raise InputError(f"distance={distance!r} must be a cosine distance, from 0 to 2")
    return distance


@torch.inference_mode()
def near_duplicates(
    features: Features, threshold: float, *, device: str | torch.device = "auto"
) -> NDArray[np.int64]:
    """Row of the kept image that each image nearly equals, int64 [N]; -1 for kept images.

    Images are taken in order. One that is farther than the threshold from all kept images is kept;
    any other belongs to the nearest kept image, so no chain of images joins two unlike ones.

    Args:
        features: Embeddings, floats [N, D], in order of preference.
        threshold: Largest cosine distance of near duplicates.
        device: Device to compute on.
    """
    rows = Embeddings.of(as_features(features).to(scoring_device(device)), "features")
    owner = np.full(len(rows), -1, np.int64)
    kept = torch.empty(0, dtype=torch.int64, device=rows.raw.device)
    for start in range(0, len(rows), _BLOCK_ROWS):
        stop = min(start + _BLOCK_ROWS, len(rows))
        block = _unit(rows, torch.arange(start, stop, device=kept.device))
        best, place = _nearest_kept(rows, block, kept)
        among = 1 - block @ block.T
        fresh: list[int] = []
        for row in (best > threshold + ROUNDING).nonzero().flatten().tolist():
            if not fresh or float(among[row, fresh].min()) > threshold + ROUNDING:
                fresh.append(row)
        added = torch.tensor(fresh, dtype=torch.int64, device=kept.device)
        if fresh:
            inside, index = among[:, added].min(dim=1)
            nearer = inside < best
            place = torch.where(nearer, start + added[index], place)
        found = place.cpu().numpy()
        found[fresh] = -1
        owner[start:stop] = found
        kept = torch.cat([kept, start + added])
    return owner


def _nearest_kept(
    rows: Embeddings, block: torch.Tensor, kept: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Distance from each row of a block to the nearest kept row, and that row."""
    best = block.new_full((len(block),), torch.inf)
    place = torch.full((len(block),), -1, dtype=torch.int64, device=block.device)
    for first in range(0, len(kept), _BLOCK_ROWS):
        part = kept[first : first + _BLOCK_ROWS]
        distance, index = (1 - block @ _unit(rows, part).T).min(dim=1)
        nearer = distance < best
        best = torch.where(nearer, distance, best)
        place = torch.where(nearer, part[index], place)
    return best, place


def _unit(rows: Embeddings, wanted: torch.Tensor) -> torch.Tensor:
    return rows.raw[wanted].double() / rows.norm[wanted, None]
