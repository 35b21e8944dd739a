"""Tasks that share no image, for open confidence intervals."""

import numpy as np
from numpy.typing import NDArray

from lowlabel.fewshot.episodes import Episodes

_STREAM = 2  # tells their random numbers from those of other tasks

IntArray = NDArray[np.int64]


def disjoint_tasks(labels: IntArray, ways: int, shots: int, seed: int) -> Episodes:
    """Draws tasks of one query per class until fewer than `ways` classes have images left.

    Raphael Lafargue, Luke Smith, Franck Vermet, Mathias Löwe, Ian Reid, Vincent Gripon, Jack
    Valmadre. Oops, I Sampled it Again: Reinterpreting Confidence Intervals in Few-Shot Learning.
    TMLR 2024. arXiv:2409.02850

    Args:
        labels: Class of each row, [N].
        ways: Classes per task.
        shots: Labelled images per class.
        seed: Random seed of the run.
    """
    _, classes, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    words = np.random.PCG64(np.random.SeedSequence((seed, _STREAM)))
    rows = np.lexsort((words.random_raw(len(labels)), classes))
    starts, taken = sizes.cumsum() - sizes, np.zeros_like(sizes)
    firsts = []
    while len(able := np.flatnonzero(sizes - taken > shots)) >= ways:
        chosen = able[np.argsort(words.random_raw(len(able)), kind="stable")[:ways]]
        firsts.append(starts[chosen] + taken[chosen])
        taken[chosen] += shots + 1
    places = np.array(firsts, np.int64).reshape(-1, ways, 1) + np.arange(shots + 1)
    images = rows[places]
    query = images[:, :, -1]
    return Episodes(images[:, :, :-1], query, np.broadcast_to(np.arange(ways), query.shape))
