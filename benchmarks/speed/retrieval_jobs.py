"""The jobs of the retrieval measurement: the limit, lowlabel and the peers."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from lowlabel.benchmarks.speed.timing import tiled_product
from lowlabel.devices import resolve_device
from lowlabel.errors import InputError
from lowlabel.retrieval import evaluate_retrieval
from lowlabel.retrieval.clustering import cluster

KS = (1, 10, 100, 1000)
CLASS_SIZES = 2, 12
NOISE = 2.15  # gives a Recall@1 of about 60 % at the default sizes
TILES = (256, 2048), (512, 2048), (512, 4096)

Evaluate = Callable[[NDArray[np.float32], NDArray[np.int64], str], float | None]


@dataclass(frozen=True)
class Data:
    """Sizes of the features, and the device to compute on."""

    images: int
    width: int
    classes: int
    device: str

    def arrays(self, clustered: bool) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Random features, or noise around class means, with shuffled labels."""
        random = np.random.default_rng(0)
        labels = np.arange(self.classes).repeat(_class_sizes(self.images, self.classes, random))
        random.shuffle(labels)
        features = random.standard_normal((self.images, self.width), dtype=np.float32)
        if clustered:
            features *= NOISE
            means = random.standard_normal((self.classes, self.width), dtype=np.float32)
            for part in np.array_split(np.arange(self.images), 64):  # no second copy in memory
                features[part] += means[labels[part]]
        return features, labels


def _half(
    features: NDArray[np.float32], labels: NDArray[np.int64], device: str, rows: int, columns: int
) -> None:
    """Half of the products, since similarity is symmetric."""
    table = torch.from_numpy(features).to(resolve_device(device))
    tiled_product(table[: len(table) // 2], table, rows, columns)


def _ours(features: NDArray[np.float32], labels: NDArray[np.int64], device: str) -> float:
    result = evaluate_retrieval(features, labels, ks=KS, device=device)
    return result.metrics["recall@1"]


def _hnsw(features: NDArray[np.float32], labels: NDArray[np.int64], device: str) -> float:
    result = evaluate_retrieval(features, labels, ks=(1, 10, 100), search="hnsw", device=device)
    return result.metrics["recall@1"]


def _nmi(features: NDArray[np.float32], labels: NDArray[np.int64], device: str) -> None:
    unit = torch.nn.functional.normalize(torch.from_numpy(features))
    cluster(unit.numpy(), len(np.unique(labels)))


def _metric_learning(
    features: NDArray[np.float32], labels: NDArray[np.int64], device: str
) -> float:
    from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator

    calculator = AccuracyCalculator(
        include=("precision_at_1", "r_precision", "mean_average_precision_at_r"),
        k="max_bin_count",
        device=resolve_device(device),
    )
    table = torch.nn.functional.normalize(torch.from_numpy(features))
    scores = calculator.get_accuracy(table, torch.from_numpy(labels))
    return 100 * float(scores["precision_at_1"])


def _open_metric_learning(
    features: NDArray[np.float32], labels: NDArray[np.int64], device: str
) -> float:
    from oml.functional.knn import batched_knn
    from oml.functional.metrics import calc_retrieval_metrics

    table = torch.nn.functional.normalize(torch.from_numpy(features))
    rows, top = torch.arange(len(table)), min(max(KS), len(table) - 1)
    _, retrieved, relevant = batched_knn(table, rows, rows, top, labels_gt=torch.from_numpy(labels))
    metrics = calc_retrieval_metrics(
        retrieved, relevant, cmc_top_k=KS, precision_top_k=(), map_top_k=(top,), verbose=False
    )
    return 100 * float(metrics["cmc"][1])


def _faiss(features: NDArray[np.float32], labels: NDArray[np.int64], device: str) -> float:
    import faiss

    table = torch.nn.functional.normalize(torch.from_numpy(features)).numpy()
    index = faiss.IndexFlatIP(table.shape[1])
    index.add(table)
    first = np.concatenate(
        [
            _nearest_other(index.search(table[i : i + 4096], max(KS) + 1)[1], i)
            for i in range(0, len(table), 4096)
        ]
    )
    return 100 * float((labels[first] == labels).mean())


def _nearest_other(found: NDArray[np.int64], start: int) -> NDArray[np.int64]:
    """The first row found for each query that is not the query itself."""
    self_rows = np.arange(start, start + len(found))
    return np.where(found[:, 0] == self_rows, found[:, 1], found[:, 0])


HALVES: dict[str, Evaluate] = {
    f"half of the products, {rows} × {columns}": partial(_half, rows=rows, columns=columns)
    for rows, columns in TILES
}
RANDOM, CLUSTERED = "lowlabel, random features", "lowlabel, clustered features"
HNSW = "lowlabel --search hnsw, 101 nearest; clustered"
NMI = "lowlabel NMI: 20 iterations of faiss' k-means; clustered"
METRIC_LEARNING = "pytorch-metric-learning P@1, MAP@R, R-Precision; clustered"
OML = "OML, 1000 nearest, CMC and mAP; clustered"
FLAT = "faiss IndexFlatIP, 1001 nearest; clustered"
JOBS: dict[str, Evaluate] = {
    **HALVES,
    RANDOM: _ours,
    CLUSTERED: _ours,
    HNSW: _hnsw,
    NMI: _nmi,
    METRIC_LEARNING: _metric_learning,
    OML: _open_metric_learning,
    FLAT: _faiss,
}
OURS = *HALVES, RANDOM, CLUSTERED
PEER_PACKAGES = {
    HNSW: "faiss",
    NMI: "faiss",
    METRIC_LEARNING: "pytorch_metric_learning",
    OML: "oml",
    FLAT: "faiss",
}


def _class_sizes(images: int, classes: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Class sizes from 2 to 12 whose sum is the number of images."""
    low, high = CLASS_SIZES
    share = (images / classes - low) / (high - low)
    if not 0 <= share <= 1:
        raise InputError(
            f"{classes} classes need {low} to {high} images each; {images} images do not suit"
        )
    sizes = low + random.binomial(high - low, share, classes)
    while (missing := images - sizes.sum()) != 0:
        free = np.flatnonzero(sizes < high if missing > 0 else sizes > low)
        some = random.choice(free, min(abs(missing), len(free)), replace=False)
        sizes[some] += np.sign(missing)
    return sizes
