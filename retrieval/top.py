"""The images at the top of single queries' rankings."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from lowlabel.devices import resolve_device
from lowlabel.errors import InputError
from lowlabel.retrieval.inputs import Array
from lowlabel.retrieval.post import build_post
from lowlabel.retrieval.ranking.nearest import nearest
from lowlabel.retrieval.ranking.query_gallery import Task
from lowlabel.retrieval.ranking.workers import full_precision


def top_images(
    features: Array,
    k: int,
    *,
    queries: Sequence[int] | NDArray[np.int64],
    gallery: Array | None = None,
    train: Array | None = None,
    post: Sequence[str] = (),
    device: str | torch.device = "auto",
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Finds the k images that are most similar to some of the queries.

    Args:
        features: Floats [N, D]; without a gallery every image is a query against all others.
        k: Images for each query.
        queries: Rows of the queries to show [n].
        gallery: Features [G, D] to search in.
        train: Features [T, D] that whitening learns from.
        post: Post-processing in order, as for `evaluate_retrieval`.
        device: Where to compute.

    Returns:
        Similarities [n, k], falling, and rows [n, k] in the gallery (or in the features).

    Raises:
        InputError: If k or a row is too large, or the features cannot be used.
    """
    unlabelled = [np.zeros(len(side), dtype=np.int64) for side in (features, gallery)
                  if side is not None]  # fmt: skip
    searched = None if gallery is None else (gallery, unlabelled[1])
    task = Task.of((features, unlabelled[0]), searched, resolve_device(device))
    task = task.processed([build_post(spec) for spec in post], train)
    rows, all_gallery = task.unit_rows()
    wanted = torch.as_tensor(np.asarray(queries, dtype=np.int64), device=rows.device)
    if len(wanted) and int(wanted.max()) >= len(rows):
        raise InputError(f"query {int(wanted.max())} of {len(rows)}")
    own = wanted if gallery is None else None
    if task.similarity is None:
        found = nearest(rows[wanted], all_gallery, k, own=own)
        return found.similarity.double().cpu().numpy(), found.rows.cpu().numpy()
    if k > task.others:
        raise InputError(f"{k} images were asked for in a gallery that has {task.others} to find")
    with full_precision():
        similarity = task.similarity.rows(wanted)
    if own is not None:
        similarity.scatter_(1, own[:, None], -torch.inf)
    best = similarity.topk(k, dim=1)
    return best.values.double().cpu().numpy(), best.indices.cpu().numpy()
