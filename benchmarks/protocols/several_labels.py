"""Scores of classifiers of images that have several labels each."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lowlabel.benchmarks.protocols.supervised import scores_of, train_table
from lowlabel.benchmarks.protocols.trial import ProtocolScores
from lowlabel.classification import SeveralLabelsResult
from lowlabel.datasets.tables.labels import label_matrix, label_names
from lowlabel.features import EmbeddedDataset

HELD_OUT_SETS = "a tenth of train, by the rarest label of each image"
OPTIONS: dict[str, object] = {"average_precision": "VOC 2010, all points"}
_MOST_NAMED = 20


class PartLabels(NamedTuple):
    """Whether each image of a part has each label, [N, L]; `val` is None without such images."""

    train: NDArray[np.bool_]
    test: NDArray[np.bool_]
    val: NDArray[np.bool_] | None

    @classmethod
    def of(cls, data: EmbeddedDataset) -> "PartLabels":
        """The matrices of the embedded images; columns are the labels of all parts."""
        sets, val = label_matrix(data.class_names), data.validation
        return cls(
            sets[train_table(data).labels],
            sets[data.evaluated.labels],
            None if val is None else sets[val.labels],
        )


def left_out_labels(data: EmbeddedDataset) -> list[str]:
    """The labels that no test image has, and those of test images that train cannot tell."""
    names, labels = np.array(label_names(data.class_names)), PartLabels.of(data)
    tested = labels.test.any(axis=0)
    notes = []
    if not tested.all():
        notes.append(f"of the mAP on {data.title}, on no test image: {_named(names[~tested])}")
    untold = {
        "no train image": ~labels.train.any(axis=0),
        "all train images": labels.train.all(axis=0),
    }
    for where, those in untold.items():
        if (tested & those).any():
            notes.append(
                f"of training on {data.title}, on {where} and so with equal scores: "
                f"{_named(names[tested & those])}"
            )
    return notes


def several_labels_scores(
    result: SeveralLabelsResult, data: EmbeddedDataset, *, deterministic: bool = False
) -> ProtocolScores:
    """The scores of a classifier's result."""
    counts = {"labels": len(result.scored)}
    if result.without_test:
        counts["labels without a test image"] = result.without_test
    if result.without_train:
        counts["labels that train cannot tell"] = result.without_train
    return scores_of(result, data, counts, deterministic=deterministic)


def _named(labels: NDArray[np.str_]) -> str:
    more = f" and {len(labels) - _MOST_NAMED:,} more" if len(labels) > _MOST_NAMED else ""
    return ", ".join(labels[:_MOST_NAMED]) + more
