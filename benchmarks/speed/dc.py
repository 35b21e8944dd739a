"""Distribution Calibration and a plain loop: `python -m lowlabel.benchmarks.speed.dc`.

Five-way tasks with 15 queries per class, on 384-dimensional synthetic features of 64 base and 20
novel classes with 600 images each. The loop computes what the authors' code computes, task by task,
with numpy's `multivariate_normal` and scikit-learn's `LogisticRegression`, on the first of the same
tasks.
"""

from dataclasses import dataclass

import numpy as np
import typer
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from lowlabel.benchmarks.speed.timing import markdown, median_seconds
from lowlabel.devices import describe_device, keep_freed_memory, resolve_device
from lowlabel.fewshot import evaluate_fewshot
from lowlabel.fewshot.episodes import EpisodeSampler

BASE, NOVEL, IMAGES = 64, 20, 600
WAYS, QUERIES, SAMPLES, ALPHA = 5, 15, 750, 0.21

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Data:
    """Features and labels of the novel and the base classes."""

    novel: tuple[NDArray[np.float32], NDArray[np.int64]]
    base: tuple[NDArray[np.float32], NDArray[np.int64]]

    @classmethod
    def synthetic(cls, width: int, signed: bool) -> "Data":
        """Overlapping classes, with correlated dimensions of decreasing variance."""
        random = np.random.default_rng(0)
        spectrum = np.arange(1, width + 1) ** -0.5
        mixing = spectrum[:, None] * np.linalg.qr(random.normal(size=(width, width)))[0]
        centres = 0.4 * random.normal(size=(BASE + NOVEL, 1, width)) @ mixing
        noise = random.standard_normal((BASE + NOVEL, IMAGES, width), np.float32)
        x = (centres + noise @ mixing).astype(np.float32)
        x = x if signed else np.maximum(0, x + 0.05)
        labels = np.arange(BASE).repeat(IMAGES)
        novel = x[BASE:].reshape(-1, width), labels[: NOVEL * IMAGES]
        return cls(novel, (x[:BASE].reshape(-1, width), labels))


@dataclass(frozen=True)
class PlainLoop:
    """Distribution Calibration in a loop over tasks, with precomputed base statistics.

    Attributes:
        features: Transformed features of the novel classes.
        labels: Labels of the novel features.
        means: Means of the base classes.
        covariances: Covariances of the base classes.
    """

    features: Floats
    labels: NDArray[np.int64]
    means: Floats
    covariances: Floats

    @classmethod
    def of(cls, data: Data, method: str) -> "PlainLoop":
        """Prepares the loop for "dc" or "dc-sslvit"."""
        features, base = data.novel[0].astype(float), data.base[0].astype(float)
        if method == "dc":
            features = features**0.5
        else:
            features, base = _unit(features), _unit(base)
        by_class = base.reshape(BASE, IMAGES, -1)
        covariances = np.stack([np.cov(rows.T) for rows in by_class])
        return cls(features, data.novel[1], by_class.mean(1), covariances)

    def run(self, shots: int, tasks: int) -> Floats:
        """Accuracies of the first tasks, in percent."""
        random = np.random.default_rng(0)
        sampler = EpisodeSampler(self.labels, WAYS, shots, QUERIES)
        accuracies = []
        for episodes in sampler.blocks(tasks, 0, 1):
            x, y = self._calibrated(self.features[episodes.support.ravel()], shots, random)
            model = LogisticRegression(max_iter=1000).fit(x, y)
            right = model.predict(self.features[episodes.query[0]]) == episodes.query_ways[0]
            accuracies.append(100 * right.mean())
        return np.array(accuracies)

    def _calibrated(
        self, support: Floats, shots: int, random: np.random.Generator
    ) -> tuple[Floats, NDArray[np.int64]]:
        x, y = [support], [np.arange(WAYS).repeat(shots)]
        for image, way in zip(support, y[0].tolist(), strict=True):
            near = np.argsort(((self.means - image) ** 2).sum(1))[:2]
            mean = (self.means[near].sum(0) + image) / 3
            covariance = self.covariances[near].mean(0) + ALPHA
            x.append(random.multivariate_normal(mean, covariance, SAMPLES // shots))
            y.append(np.full(SAMPLES // shots, way))
        return np.concatenate(x), np.concatenate(y)


def main(
    tasks: int = 1_000,
    loop_tasks: int = 20,
    repeats: int = 3,
    device: str = "auto",
    width: int = 384,
) -> None:
    """Prints the milliseconds per task and their ratio, and accuracies on the same tasks."""
    keep_freed_memory()
    rows = []
    for method in ("dc", "dc-sslvit"):
        data = Data.synthetic(width, signed=method == "dc-sslvit")
        rows += [_row(data, method, shots, tasks, loop_tasks, repeats, device) for shots in (1, 5)]
    print(markdown(rows))
    print(f"\nMedians of {repeats} runs in turn on {describe_device(resolve_device(device))}; the")
    print("loop runs on the CPU with one thread, where it is fastest. Base statistics are computed")
    print(f"anew in every run of lowlabel. lowlabel runs {tasks:,} tasks, the loop the first")
    print(f"{loop_tasks:,} of them; accuracies are means over these first tasks.")


def _row(
    data: Data, method: str, shots: int, tasks: int, loop_tasks: int, repeats: int, device: str
) -> dict[str, object]:
    accuracies: dict[str, Floats] = {}
    plain = PlainLoop.of(data, method)

    def ours() -> None:
        result = evaluate_fewshot(
            *data.novel,
            base=data.base,
            method=method,
            ways=WAYS,
            shots=shots,
            queries=QUERIES,
            tasks=tasks,
            interval="tasks",
            device=device,
        )
        accuracies["ours"] = result.accuracies[:loop_tasks]

    def loop() -> None:
        with threadpool_limits(1):  # more threads slow OpenBLAS down on matrices this small
            accuracies["loop"] = plain.run(shots, loop_tasks)

    seconds = median_seconds({"ours": ours, "loop": loop}, repeats)
    per_task = 1e3 * seconds["ours"] / tasks
    loop_per_task = 1e3 * seconds["loop"] / loop_tasks
    return {
        "method": method,
        "shots": shots,
        "ms/task": per_task,
        "plain loop, ms/task": loop_per_task,
        "times faster": loop_per_task / per_task,
        "accuracy, %": accuracies["ours"].mean(),
        "plain loop, %": accuracies["loop"].mean(),
    }


def _unit(x: Floats) -> Floats:
    unit: Floats = x / np.linalg.norm(x, axis=1, keepdims=True)
    return unit


if __name__ == "__main__":
    typer.run(main)
