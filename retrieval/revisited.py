"""Landmark retrieval by the protocol of Revisited Oxford and Paris."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lowlabel.arrays import Features, Labels, as_counts, as_labels, require_at_most
from lowlabel.progress import Progress
from lowlabel.retrieval.ground_truth import GroundTruth, read_ground_truth
from lowlabel.retrieval.ranking.comparison import Ties
from lowlabel.retrieval.ranking.database import RankedPositives
from lowlabel.retrieval.ranking.instance_retrieval import InstanceRetrieval, InstanceSearch
from lowlabel.retrieval.ranking.products import Transform
from lowlabel.retrieval.ranking.sources import RowSource
from lowlabel.retrieval.result import RetrievalInterval, RetrievalResult
from lowlabel.retrieval.revisited_metrics import Ranks

MODES = {"easy": ("easy",), "medium": ("easy", "hard"), "hard": ("hard",)}


def evaluate_revisited(
    query: Features,
    gallery: Features,
    ground_truth: GroundTruth,
    *,
    distractors: RowSource | Sequence[RowSource] = (),
    ks: Sequence[int] = (1, 5, 10),
    ties: Ties = "pessimistic",
    transform: Transform | None = None,
    landmarks: Labels | None = None,
    groups: Labels | None = None,
    interval: RetrievalInterval = "classes",
    block_size: int | None = None,
    device: str | torch.device = "auto",
    progress: Progress | None = None,
) -> RetrievalResult:
    """Scores landmark retrieval as easy, medium and hard (Radenović et al., arXiv:1803.11285).

    Easy takes the easy images as positives and ignores the hard and junk images, medium takes the
    easy and hard images, hard takes the hard images. Ignored images are treated as absent. The
    rank of a positive is a count of larger similarities, so nothing is sorted and the database is
    read in blocks.

    Args:
        query: Floats [Q, D], numpy or torch. Only their directions matter.
        gallery: Floats [G, D].
        ground_truth: For each query its `easy`, `hard` and `junk` rows in the gallery, as in the
            `gnd` of the published files; other keys are ignored.
        distractors: Further images without a label, in one source or several: arrays, or
            `h5py.Dataset`s and similar objects, which are read in blocks.
        ks: The k of mP@k.
        ties: How a negative as similar as a positive is ranked; see `evaluate_retrieval`.
        transform: Applied to features [n, D] before they are compared, for example whitening.
        landmarks: Landmark of each query, integers [Q]; by default queries that have a positive in
            common, directly or through others, show one landmark.
        groups: Other groups of queries, integers [Q], for the interval over groups.
        interval: What another study would draw anew: "classes" (landmarks), "queries" or "groups";
            the result has all of them. Every query keeps its ranking.
        block_size: Database images that each thread compares at once; by default some tens of MB.
        device: Device to compute on; "auto" uses a GPU if there is one.
        progress: Called with the number of database images done and their total.

    Returns:
        Scores in percent: "map_easy", "map_medium", "map_hard", and "mp@k_easy", … for every k. A
        query without a positive in a mode is NaN there and left out of the mean; a mode in which
        no query has a positive is left out. `lone` counts the queries without any positive.

    Raises:
        InputError: If shapes or models do not match, features are not finite floats or are all
            zero, or the ground truth names images that do not exist.

    Example:
        >>> import numpy as np
        >>> gallery = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]])
        >>> truth = [{"easy": [1], "hard": [], "junk": []}]
        >>> evaluate_revisited(gallery[:1], gallery, truth, ks=(1,)).metrics["map_easy"]
        25.0
    """
    search = InstanceRetrieval.of(
        query,
        gallery,
        distractors,
        ties=ties,
        transform=transform,
        groups=groups,
        interval=interval,
        block_size=block_size,
        device=device,
    )
    return score_revisited(search, ground_truth, ks, landmarks, progress)


def score_revisited(
    search: InstanceSearch,
    ground_truth: GroundTruth,
    ks: Sequence[int],
    landmarks: Labels | None,
    progress: Progress | None,
) -> RetrievalResult:
    """Scores a search; see `evaluate_revisited`."""
    queries, images = search.query_count, search.image_count
    ks = as_counts(ks, "ks")
    require_at_most("ks", ks, images, "gallery images")
    lists = read_ground_truth(ground_truth, [*MODES["medium"], "junk"], queries, images)
    positives = [torch.cat(pair) for pair in zip(lists["easy"], lists["hard"], strict=True)]
    ranked = search.rank(positives, lists["junk"], progress)
    scores: dict[str, Tensor] = {}
    for mode, kinds in MODES.items():
        kept = torch.stack([_among(ranked, lists[kind], images) for kind in kinds]).any(dim=0)
        if kept.any():
            ranks = Ranks.of(ranked, kept, queries)
            scores[f"map_{mode}"] = ranks.average_precision()
            scores |= {f"mp@{k}_{mode}": ranks.precision(k) for k in ks}
    found = (
        _landmarks(positives, images)
        if landmarks is None
        else as_labels(landmarks, queries, "landmarks")
    )
    return search.result(scores, ranked, found, "landmarks")


def _landmarks(positives: Sequence[Tensor], images: int) -> NDArray[np.int64]:
    """Numbers of the sets of queries that positives connect, [Q]."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    queries = len(positives)
    rows = np.repeat(np.arange(queries), [len(each) for each in positives])
    columns = queries + torch.cat(list(positives)).numpy()
    graph = coo_array((np.ones(len(rows), np.int8), (rows, columns)), (queries + images,) * 2)
    found: NDArray[np.int64] = connected_components(graph, directed=False)[1].astype(np.int64)
    return found[:queries]


def _among(ranked: RankedPositives, rows: Sequence[Tensor], images: int) -> Tensor:
    """Marks the ranked positives that are among the given rows of their query."""
    pairs = torch.cat([query * images + listed for query, listed in enumerate(rows)])
    return torch.isin(ranked.query * images + ranked.row, pairs.to(ranked.row.device))
