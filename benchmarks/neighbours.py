"""k-NN classification of an evaluated part: half of each class votes, the other half is scored."""

import numpy as np
from numpy.typing import NDArray

from lowlabel.benchmarks.outcome import Outcome
from lowlabel.benchmarks.subject import Subject
from lowlabel.benchmarks.suite import KNNProtocol
from lowlabel.classification import evaluate_knn
from lowlabel.progress import progress_bar
from lowlabel.results import Experiment, MethodInfo, ProtocolInfo, Score

VERSION = 1


def knn_experiment(subject: Subject, protocol: KNNProtocol) -> Experiment:
    """What determines the scores."""
    part = subject.dataset.split
    return Experiment(
        suite="classification",
        protocol=ProtocolInfo("half of each class", VERSION),
        model=subject.model,
        dataset=subject.dataset,
        method=MethodInfo(
            f"knn,k={protocol.k}", {"k": protocol.k, "temperature": protocol.temperature}
        ),
        feature_keys={part: subject.keys[part]},
    )


def run_knn(subject: Subject, protocol: KNNProtocol, device: str) -> Outcome:
    """Scores the images at odd places of their classes by those at even places."""
    features, labels = subject.evaluated.features, subject.evaluated.labels
    scored = places_in_classes(labels) % 2 == 1
    with progress_bar(f"k-NN on {subject.dataset.title}", "img") as progress:
        result = evaluate_knn(
            features[~scored],
            labels[~scored],
            features[scored],
            labels[scored],
            k=protocol.k,
            temperature=protocol.temperature,
            clip_k=True,
            device=device,
            progress=progress,
        )
    names = {f"top{top}@{k}": f"top{top}" for k in result.ks for top in (1, 5)}
    return Outcome(
        {name: Score(result.metrics[own], result.ci95[own]) for own, name in names.items()},
        {
            name: np.multiply(100.0, result.correct[own], dtype=np.float64)
            for own, name in names.items()
        },
        result.ci95_definition,
        {"images": int(scored.sum()), "voters": int((~scored).sum())},
    )


def places_in_classes(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The how-manieth of its class each image is [N], from 0."""
    order = np.argsort(labels, kind="stable")
    _, starts, counts = np.unique(labels[order], return_index=True, return_counts=True)
    places = np.empty(len(labels), np.int64)
    places[order] = np.arange(len(labels)) - np.repeat(starts, counts)
    return places
