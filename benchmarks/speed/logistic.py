"""Logistic regression over 12 values of C: `python -m lowlabel.benchmarks.speed.logistic`.

The features are synthetic: variances fall as they do in embeddings, each class has its own, and the
classes overlap. scikit-learn's `LogisticRegression` fits each C alone, with its default tolerance.
Both objectives are computed in float64 from the coefficients.
"""

import time
import warnings
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from lowlabel.benchmarks.speed.timing import markdown
from lowlabel.classification import DEFAULT_CS
from lowlabel.classification.logistic.path import LogisticFit, fit_path
from lowlabel.devices import describe_device, keep_freed_memory, peak_memory_mb, resolve_device

T = TypeVar("T")
Data = tuple[NDArray[np.float32], NDArray[np.int64]]


def main(
    images: int = 50_000,
    width: int = 384,
    classes: int = 100,
    max_iter: int = 100,
    repeats: int = 3,
    peer_repeats: int = 1,
    device: str = "auto",
) -> None:
    """Prints both objectives for each C, and the ratio of the times for all of them."""
    keep_freed_memory()
    data = features(images, width, classes)
    ours: list[float] = []
    theirs: list[float] = []
    fits: list[LogisticFit] = []
    models: list[LogisticRegression] = []
    for turn in range(max(repeats, peer_repeats)):
        if turn < repeats:
            seconds, fits = _timed(lambda: _fit(data, classes, device))
            ours.append(seconds)
        if turn == 0:
            peak = peak_memory_mb()
        if turn < peer_repeats:
            seconds, models = _timed(lambda: [_fit_peer(data, c, max_iter) for c in DEFAULT_CS])
            theirs.append(seconds)
    rows = [_row(data, fit, model) for fit, model in zip(fits, models, strict=True)]
    print(markdown(rows))
    mine, peer = float(np.median(ours)), float(np.median(theirs))
    print(f"\nAll C on {describe_device(resolve_device(device))}: {mine:.3g} s, {peak:.0f} MiB at ")
    print(f"most; scikit-learn on the CPU with max_iter={max_iter}: {peer:.3g} s,")
    print(f"{peer / mine:.3g} times as long. Medians of {repeats} and {peer_repeats} runs in turn.")


def features(images: int, width: int, classes: int) -> Data:
    """Features and labels of overlapping classes."""
    random = np.random.default_rng(0)
    labels = random.permutation(np.arange(images) % classes)
    spread = np.arange(1, width + 1) ** -0.5
    centers = 0.5 * random.standard_normal((classes, width)) * np.arange(1, width + 1) ** -0.25
    gains = np.exp(0.3 * random.standard_normal((classes, width)))
    x = centers[labels] + gains[labels] * random.standard_normal((images, width))
    rotation, _ = np.linalg.qr(random.standard_normal((width, width)))
    x = (x * spread) @ rotation * np.sqrt(width / np.sum(spread**2))
    return (x + random.standard_normal(width)).astype(np.float32), labels


def _timed(job: Callable[[], T]) -> tuple[float, T]:
    started = time.perf_counter()
    result = job()
    return time.perf_counter() - started, result


@torch.inference_mode()
def _fit(data: Data, classes: int, device: str) -> list[LogisticFit]:
    place = resolve_device(device)
    x, targets = (torch.from_numpy(array).to(place) for array in data)
    return list(fit_path(x, targets, classes, DEFAULT_CS))


def _fit_peer(data: Data, c: float, max_iter: int) -> LogisticRegression:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the iterations are printed
        return LogisticRegression(C=c, max_iter=max_iter).fit(*data)


def _row(data: Data, fit: LogisticFit, model: LogisticRegression) -> dict[str, object]:
    ours = _objective(data, fit.c, fit.weight.cpu().numpy(), fit.intercept.cpu().numpy())
    theirs = _objective(data, fit.c, model.coef_, model.intercept_)
    return {
        "C": fit.c,
        "Newton steps": fit.steps,
        "converged": "yes" if fit.converged else "no",
        "scikit-learn, iterations": int(model.n_iter_[0]),
        "ours / theirs - 1": ours / theirs - 1,
    }


def _objective(
    data: Data, c: float, weight: NDArray[np.floating], bias: NDArray[np.floating]
) -> float:
    """C · Σ cross-entropy + ½|W|² in float64."""
    total = 0.5 * float(np.sum(np.square(weight, dtype=np.float64)))
    for start in range(0, len(data[1]), 4096):
        x, labels = (array[start : start + 4096] for array in data)
        logits = x.astype(np.float64) @ weight.T.astype(np.float64) + bias
        logits -= logits.max(1, keepdims=True)
        own = logits[np.arange(len(labels)), labels]
        total += c * float(np.sum(np.log(np.exp(logits).sum(1)) - own))
    return total


if __name__ == "__main__":
    typer.run(main)
