"""What scores class-level retrieval: embeddings, images with several labels, or ranked lists."""

from typing import Any

import numpy as np

from lowlabel.errors import InputError
from lowlabel.features import EmbeddedDataset
from lowlabel.retrieval import (
    RetrievalResult,
    evaluate_ranking,
    evaluate_retrieval,
    evaluate_several_labels,
)


def score_classes(data: EmbeddedDataset, **options: Any) -> RetrievalResult:
    """Scores embeddings; the options are those of `evaluate_retrieval`."""
    gallery = data.gallery
    return evaluate_retrieval(
        data.evaluated.features,
        data.evaluated.labels,
        gallery=(gallery.features, gallery.labels) if gallery else None,
        train=data.train.features if data.train else None,
        train_labels=data.train.labels if data.train else None,
        **options,
    )


def score_several_labels(data: EmbeddedDataset, **options: Any) -> RetrievalResult:
    """Scores images that have several labels each, with options of `evaluate_several_labels`."""
    sets, gallery, part = data.label_sets, data.gallery, data.gallery_part
    return evaluate_several_labels(
        data.evaluated.features,
        sets[data.evaluated_part],
        gallery=(gallery.features, sets[part]) if gallery and part else None,
        **options,
    )


def score_lists(data: EmbeddedDataset, *, device: str, **options: Any) -> RetrievalResult:
    """Scores lists that were ranked elsewhere, with options of `evaluate_ranking`.

    Nothing is computed on the device.

    Raises:
        InputError: If images have several labels.
    """
    ranking, gallery = data.ranking, data.gallery
    assert ranking is not None
    if data.several_labels:
        raise InputError(
            f"images of {data.title} have several labels, and ranked lists are scored by one",
            "Score the embeddings, or lists of images with one label each.",
        )
    return evaluate_ranking(
        ranking.rows,
        data.evaluated.labels,
        gallery_labels=gallery.labels if gallery else None,
        scores=ranking.scores,
        **options,
    )


def others(data: EmbeddedDataset, *, ignore_same_group: bool = False) -> int:
    """Number of images that every query is compared with, or that the shortest list has."""
    if data.ranking is not None:
        return data.ranking.lengths(leave_one_out=data.gallery is None)[0]
    groups, gallery = data.evaluated.groups, data.gallery
    searched = gallery or data.evaluated
    if ignore_same_group and groups is not None and searched.groups is not None:
        _, sizes = np.unique(searched.groups, return_counts=True)
        of_queries = np.isin(np.unique(searched.groups), groups)
        return len(searched.labels) - int(sizes[of_queries].max(initial=0))
    return len(searched.labels) - (gallery is None)
