"""Logistic regression of several labels: `python -m lowlabel.benchmarks.speed.labels.several`.

All labels together, as `evaluate_logistic_several_labels` fits them, beside each label alone by the
solver of single labels, over 12 values of C in turn in one run. The default size is that of VOC
2007: 5,011 images and 20 labels, of which an image has one or two. Times are CPU seconds, which
tell on a busy machine too if both have one thread (OMP_NUM_THREADS=1).
"""

import time

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from torch import Tensor

from lowlabel.benchmarks.speed.timing import markdown
from lowlabel.classification import DEFAULT_CS
from lowlabel.classification.logistic.path import MAX_ITER, fit_path
from lowlabel.classification.rows import Rows
from lowlabel.classification.several_labels.label_fits import EachLabel
from lowlabel.devices import keep_freed_memory

FREQUENT = 0.4  # share of the images with the most frequent label; VOC's is "person"


def main(images: int = 5011, width: int = 384, labels: int = 20, repeats: int = 1) -> None:
    """Prints the objectives of both for each C, summed over labels, and the CPU seconds."""
    keep_freed_memory()
    features, sets = made(images, width, labels)
    x, targets = torch.from_numpy(features), torch.from_numpy(sets)
    jobs = {"together": _together, "each alone": _each_alone}
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    found: dict[str, NDArray[np.float64]] = {}
    for _ in range(repeats):
        for name, job in jobs.items():
            started = time.process_time()
            found[name] = job(x, targets)
            seconds[name].append(time.process_time() - started)
    rows = [
        {"C": c, "objective": ours, "together / alone - 1": ours / theirs - 1}
        for c, ours, theirs in zip(DEFAULT_CS, *found.values(), strict=True)
    ]
    print(markdown(rows))
    ours, theirs = (float(np.median(each)) for each in seconds.values())
    print(f"\n{labels} labels of {images:,} images × {width}, {torch.get_num_threads()} threads:")
    print(f"together {ours:.3g}, each alone {theirs:.3g} CPU seconds, {theirs / ours:.3g} ×.")


@torch.inference_mode()
def _together(x: Tensor, targets: Tensor) -> NDArray[np.float64]:
    """Objective of each C, summed over labels."""
    fits = EachLabel().fits(Rows(x), targets, DEFAULT_CS, None, MAX_ITER, lambda: None)
    return np.array([fit.objective for fit in fits])


@torch.inference_mode()
def _each_alone(x: Tensor, targets: Tensor) -> NDArray[np.float64]:
    """The same, of labels fitted one after another."""
    of_labels = (fit_path(x, own.long(), 2, DEFAULT_CS) for own in targets.T)
    objectives = [[fit.objective for fit in fits] for fits in of_labels]
    return np.asarray(np.sum(objectives, axis=0))


def made(images: int, width: int, labels: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Features that depend on labels of falling frequency, and these labels."""
    random = np.random.default_rng(0)
    share = FREQUENT / np.arange(1, labels + 1) ** 0.75
    sets = random.random((images, labels)) < share
    sets[0], sets[1] = True, False
    spread = np.arange(1, width + 1) ** -0.5
    x = sets @ (0.5 * random.standard_normal((labels, width)))
    x = (x + random.standard_normal((images, width))) * spread
    rotation, _ = np.linalg.qr(random.standard_normal((width, width)))
    return (x @ rotation * np.sqrt(width / np.sum(spread**2))).astype(np.float32), sets


if __name__ == "__main__":
    typer.run(main)
