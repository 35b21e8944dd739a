"""Normalised mutual information (NMI) of classes and clusters of the embeddings."""

import warnings
from importlib.util import find_spec

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

ITERATIONS = 20

Labels = NDArray[np.int64]


def clustering_backend() -> str:
    """The library that clusters: "faiss", or "scikit-learn" if faiss is not installed."""
    return "faiss" if find_spec("faiss") else "scikit-learn"


def nmi(features: Tensor, labels: Tensor, seed: int = 0) -> float:
    """NMI of the classes and k-means clusters, with as many clusters as classes.

    faiss runs 20 iterations of k-means over the unit rows, starting from random rows. Without
    faiss, scikit-learn runs them, with a warning because it starts from other rows. NMI is the
    mutual information divided by the arithmetic mean of the entropies (scikit-learn's definition).

    Args:
        features: Unit rows [N, D].
        labels: Integers [N].
        seed: Random seed of the first centres.

    Returns:
        NMI in percent.
    """
    from sklearn.metrics import normalized_mutual_info_score

    classes = len(torch.unique(labels))
    rows = np.ascontiguousarray(features.cpu().float().numpy())
    clusters = cluster(rows, classes, seed)
    return 100 * float(normalized_mutual_info_score(labels.cpu().numpy(), clusters))


def cluster(rows: NDArray[np.float32], clusters: int, seed: int = 0) -> Labels:
    """Assigns each row [N, D] to a cluster by k-means."""
    if clustering_backend() == "faiss":
        return _faiss(rows, clusters, seed)
    warnings.warn(
        "faiss is not installed: NMI comes from scikit-learn's k-means, which finds other clusters "
        '(pip install "lowlabel[cpu]")',
        stacklevel=2,
    )
    return _sklearn(rows, clusters, seed)


def _faiss(rows: NDArray[np.float32], clusters: int, seed: int) -> Labels:
    import faiss

    kmeans = faiss.Kmeans(
        rows.shape[1],
        clusters,
        niter=ITERATIONS,
        seed=seed,
        min_points_per_centroid=1,
        max_points_per_centroid=len(rows),
    )
    kmeans.train(rows)
    assigned: Labels = kmeans.index.search(rows, 1)[1][:, 0]
    return assigned


def _sklearn(rows: NDArray[np.float32], clusters: int, seed: int) -> Labels:
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    kmeans = KMeans(
        clusters, init="random", n_init=1, max_iter=ITERATIONS, tol=0.0, random_state=seed
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct rows than clusters
        assigned: Labels = kmeans.fit_predict(rows).astype(np.int64)
    return assigned
