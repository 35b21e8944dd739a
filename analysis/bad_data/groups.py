"""Small groups of images that are near each other and far from all others.

Blank images are each other's nearest neighbours, so the distance to the nearest others does not
tell that they are outliers. Their distance to the images outside their group does.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lowlabel.analysis.outliers import NearestOthers
from lowlabel.arrays import Features, as_features
from lowlabel.devices import scoring_device
from lowlabel.embeddings import Embeddings

LARGEST_SHARE = 0.1  # of all images; a larger group is no exception
_BLOCK_ROWS = 512


def small_groups(others: NearestOthers) -> NDArray[np.int64]:
    """Number of the group of each image, int64 [N]; -1 outside groups of a tenth of all images.

    Two images are in one group if they are joined by images of which each is nearer to the next
    than the median distance from an image to the nearest other.

    Args:
        others: The nearest others of each image.
    """
    count, k = others.rows.shape
    distances = 1 - others.cosines
    near = (distances <= np.median(distances[:, 0])).ravel()
    ends = np.repeat(np.arange(count), k)[near], others.rows.ravel()[near]
    graph = coo_array((np.ones(len(ends[0]), dtype=bool), ends), shape=(count, count))
    numbers = connected_components(graph, directed=False)[1].astype(np.int64)
    sizes = np.bincount(numbers)[numbers]
    return np.where((sizes > 1) & (sizes <= LARGEST_SHARE * count), numbers, -1)


@torch.inference_mode()
def cosines_outside_groups(
    features: Features, others: NearestOthers, *, device: str | torch.device = "auto"
) -> NDArray[np.float64]:
    """Cosines of the k nearest images outside the small group of each image, falling, [N, k].

    Where fewer are outside, the last is repeated.

    Args:
        features: Embeddings, floats [N, D].
        others: The k nearest others of each image.
        device: Device to compute on.
    """
    place = scoring_device(device)
    rows = Embeddings.of(as_features(features).to(place), "features")
    unit = rows.raw.double() / rows.norm[:, None]
    groups = torch.from_numpy(small_groups(others)).to(place)
    grouped = (groups >= 0).nonzero().flatten()
    cosines = others.cosines.copy()
    largest = int(torch.bincount(groups[grouped]).max()) if len(grouped) else 0
    found = min(cosines.shape[1], len(rows) - largest)  # so many are outside every group
    for start in range(0, len(grouped), _BLOCK_ROWS):
        block = grouped[start : start + _BLOCK_ROWS]
        similarity = unit[block] @ unit.T
        similarity.masked_fill_(groups[block, None] == groups, -1.0)
        best = similarity.topk(found, dim=1).values.cpu().numpy()
        cosines[block.cpu().numpy(), :found] = best
        cosines[block.cpu().numpy(), found:] = best[:, -1:]
    return cosines
