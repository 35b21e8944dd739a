"""UMAP of embeddings in two dimensions."""

import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import lowlabel.processes.compiled  # noqa: F401 - guards umap's functions too, some at its import
from lowlabel.analysis.outliers import NearestOthers, Outliers, nearest_others
from lowlabel.arrays import Features, as_features, as_integers, as_seed
from lowlabel.errors import InputError

_FEWEST = 3  # images that UMAP can lay out
_SPECTRAL = 20  # images from which the spectral start works


@dataclass(frozen=True)
class EmbeddingMap:
    """A map of embeddings.

    Attributes:
        points: Place of each image, float32 [N, 2]; only distances to near points have a meaning.
        outliers: Outliers among the embeddings, not among the points.
    """

    points: NDArray[np.float32]
    outliers: Outliers


def map_embeddings(
    features: Features,
    *,
    neighbours: int = 15,
    min_dist: float = 0.1,
    k: int = 10,
    spread: float = 1.7,
    seed: int = 0,
    device: str | torch.device = "auto",
) -> EmbeddingMap:
    """Maps embeddings to two dimensions by UMAP of their cosine distances, and flags outliers.

    UMAP (McInnes, Healy and Melville, arXiv:1802.03426) is computed by umap-learn from the exact
    nearest neighbours. The same seed gives the same map on the same machine.

    Args:
        features: Embeddings of any length, floats [N, D], numpy or torch.
        neighbours: Neighbours of each image in UMAP's graph, itself included; at most N.
        min_dist: Least distance of points in the map, 0 to 1.
        k: See `find_outliers`.
        spread: See `find_outliers`.
        seed: Random seed of the layout.
        device: Device to compute the neighbours on.

    Raises:
        InputError: If there are fewer than 3 images, features cannot be used, an option is out of
            range, or umap-learn is not installed.
    """
    require_umap()
    (neighbours,) = as_integers(2, neighbours=neighbours)
    (k,), seed = as_integers(1, k=k), as_seed(seed)
    if not 0 <= min_dist <= 1:
        raise InputError(f"min_dist={min_dist} must be from 0 to 1")
    rows = as_features(features)
    if len(rows) < _FEWEST:
        raise InputError(
            f"a map needs at least {_FEWEST} images, not {len(rows)}", "Choose another --part."
        )
    others = nearest_others(rows, max(k, neighbours - 1), device=device)
    points = _layout(rows.cpu().numpy(), others, min(neighbours, len(rows)), min_dist, seed)
    return EmbeddingMap(points, Outliers.of(others.cosines[:, :k], spread))


def require_umap() -> None:
    """Raises an `InputError` with the command that installs umap-learn, if it is missing."""
    if find_spec("umap") is None:
        raise InputError(
            "a map needs umap-learn, which is not installed", "pip install 'lowlabel[analysis]'"
        )


def _layout(
    features: NDArray[Any], others: NearestOthers, neighbours: int, min_dist: float, seed: int
) -> NDArray[np.float32]:
    with warnings.catch_warnings():  # of TensorFlow, and of new images, which no map takes
        warnings.simplefilter("ignore")
        from umap import UMAP

        images, near = len(features), neighbours - 1
        itself = np.arange(images)[:, None]
        rows = np.concatenate([itself, others.rows[:, :near]], axis=1)
        distances = np.maximum(1 - others.cosines[:, :near], 0.0)
        distances = np.concatenate([np.zeros((images, 1)), distances], axis=1)
        points = UMAP(
            n_neighbors=neighbours,
            min_dist=min_dist,
            metric="cosine",
            init="spectral" if images >= _SPECTRAL else "random",
            random_state=seed,
            n_jobs=1,
            precomputed_knn=(rows, distances.astype(np.float32)),
            force_approximation_algorithm=True,  # small sets ignore given neighbours otherwise
        ).fit_transform(features)
    return np.asarray(points, dtype=np.float32)
