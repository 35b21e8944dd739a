"""NMI, AMI and F1 of classes and clusters of embeddings."""

import warnings
from importlib.util import find_spec

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

ITERATIONS = 20
SEEDS = 5

Labels = NDArray[np.int64]
Scores = dict[str, NDArray[np.float64]]


def clustering_backend() -> str:
    """The library that clusters: "faiss", or "scikit-learn" if faiss is not installed."""
    return "faiss" if find_spec("faiss") else "scikit-learn"


def clustering_scores(features: Tensor, labels: Tensor, seeds: int = SEEDS) -> Scores:
    """NMI, AMI and F1 of the classes and k-means clusters, with as many clusters as classes.

    faiss runs 20 iterations of k-means over the unit rows, starting from random rows. Without
    faiss, scikit-learn runs them, with a warning because it starts from other rows. One run moves
    by several points with its seed, so there are several. Both scores are scikit-learn's: NMI is
    the mutual information divided by the arithmetic mean of the entropies; AMI is adjusted for
    chance (Vinh, Epps, Bailey, JMLR 2010), which NMI favours where clusters are small. F1 is of
    pairs of images: precision is the share of pairs in one cluster that are of one class, recall
    the share of pairs of one class that are in one cluster (Song et al., "Deep Metric Learning via
    Lifted Structured Feature Embedding", CVPR 2016, arXiv:1511.06452).

    Args:
        features: Unit rows [N, D].
        labels: Integers [N].
        seeds: Number of runs, whose first centres are drawn by the seeds 0, 1, ….

    Returns:
        "nmi", "ami" and "f1" of each run, percent, [seeds].
    """
    from sklearn.metrics import adjusted_mutual_info_score, normalized_mutual_info_score

    classes = len(torch.unique(labels))
    rows = np.ascontiguousarray(features.cpu().float().numpy())
    wanted = labels.cpu().numpy()
    runs = [cluster(rows, classes, seed) for seed in range(seeds)]
    metrics = {
        "nmi": normalized_mutual_info_score,
        "ami": adjusted_mutual_info_score,
        "f1": _pair_f1,
    }
    return {
        name: np.array([100 * float(score(wanted, clusters)) for clusters in runs])
        for name, score in metrics.items()
    }


def _pair_f1(classes: Labels, clusters: Labels) -> float:
    """F1 of pairs; 0 if no class and no cluster has two images."""
    from sklearn.metrics import pair_confusion_matrix

    (_, wrong), (missed, right) = pair_confusion_matrix(classes, clusters).tolist()
    return float(2 * right / max(2 * right + wrong + missed, 1))


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
