"""The images at the top of the rankings of single queries."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lowlabel.arrays import Features, Labels, as_features, as_integers, as_labels
from lowlabel.devices import scoring_device
from lowlabel.errors import InputError, number_of
from lowlabel.precision import full_precision
from lowlabel.retrieval.post import PostProcessing, build_chain
from lowlabel.retrieval.ranking.nearest import nearest
from lowlabel.retrieval.ranking.query_gallery import LabelledFeatures, QueryGallery


def top_images(
    features: Features,
    k: int,
    *,
    queries: Labels,
    gallery: Features | None = None,
    train: Features | None = None,
    train_labels: Labels | None = None,
    post: Sequence[str | PostProcessing] = (),
    device: str | torch.device = "auto",
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Finds the k images that are most similar to some of the queries.

    Args:
        features: Floats [N, D]; without a gallery every image is a query against all others.
        k: Images for each query.
        queries: Rows of the queries to look up, integers [n].
        gallery: Features [G, D] to search in.
        train: Features [T, D] that whitening is trained on.
        train_labels: Integers [T], from which "whiten-pairs" takes its pairs.
        post: Post-processing in order, as for `evaluate_retrieval`.
        device: Device to compute on; "auto" uses a GPU if there is one.

    Returns:
        Similarities [n, k], falling, and rows [n, k] in the gallery (or in the features).

    Raises:
        InputError: If k or a row is out of range, or the features cannot be used.
    """
    (k,) = as_integers(1, k=k)
    steps = build_chain(post)
    searched = None if gallery is None else _unlabelled(gallery, "gallery features")
    data = QueryGallery.of(_unlabelled(features), searched, scoring_device(device))
    data = data.processed(steps, train, train_labels)
    rows, all_gallery = data.unit_rows()
    wanted = _query_rows(queries, len(rows)).to(rows.device)
    self_rows = wanted if gallery is None else None
    if data.similarity is None:
        found = nearest(rows[wanted], all_gallery, k, self_rows=self_rows)
        return found.similarity.double().cpu().numpy(), found.rows.cpu().numpy()
    if k > data.others:
        raise InputError(
            f"{k} images were requested from a gallery with "
            f"{number_of(data.others, 'images')} to find",
            f"Ask for at most {data.others}.",
        )
    with full_precision():
        similarity = data.similarity.rows(wanted)
    if self_rows is not None:
        similarity.scatter_(1, self_rows[:, None], -torch.inf)
    best = similarity.topk(k, dim=1)
    return best.values.double().cpu().numpy(), best.indices.cpu().numpy()


def _unlabelled(features: Features, name: str = "features") -> LabelledFeatures:
    rows = as_features(features, name)
    return rows, np.zeros(len(rows), dtype=np.int64)


def _query_rows(queries: Labels, images: int) -> Tensor:
    rows = torch.from_numpy(as_labels(queries, None, "queries"))
    outside = rows[(rows < 0) | (rows >= images)]
    if len(outside):
        raise InputError(
            f"query {int(outside[0])} does not exist: there are {number_of(images, 'queries')}"
        )
    return rows
