"""Logistic regression over 12 values of C: `python -m lowlabel.benchmarks.speed.logistic`.

The features are synthetic: variances fall as they do in embeddings, each class has its own, and the
classes overlap. scikit-learn's `LogisticRegression` fits each C alone, with its default tolerance.
Both objectives are computed in float64 from the coefficients.

With `--gap 1e-4`, scikit-learn runs at each C until its objective is within this share of ours, and
no longer: the times are then those of equal objectives. They are CPU seconds, which tell on a busy
machine too if both have one thread (OMP_NUM_THREADS=1); after `--limit` of them scikit-learn is
stopped at a C, and the ratio is at least the printed one. `--c` chooses some values of C.
"""

import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, TypeVar
from unittest.mock import patch

import numpy as np
import scipy.optimize
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
    c: Annotated[list[float] | None, typer.Option()] = None,
    gap: float = 0.0,
    limit: float = 300.0,
) -> None:
    """Prints both objectives for each C, and the ratio of the times for all of them."""
    keep_freed_memory()
    data, cs = features(images, width, classes), tuple(sorted(c)) if c else DEFAULT_CS
    if gap:
        _compare_at_equal_objective(data, cs, gap, limit, device)
        return
    ours: list[float] = []
    theirs: list[float] = []
    fits: list[LogisticFit] = []
    models: list[LogisticRegression] = []
    for turn in range(max(repeats, peer_repeats)):
        if turn < repeats:
            seconds, fits = _timed(lambda: list(_fits(data, cs, device)))
            ours.append(seconds)
        if turn == 0:
            peak = peak_memory_mb()
        if turn < peer_repeats:
            seconds, models = _timed(lambda: [_fit_peer(data, each, max_iter) for each in cs])
            theirs.append(seconds)
    rows = [_row(data, fit) for fit in fits]
    rows = [row | _peer_columns(data, row, model) for row, model in zip(rows, models, strict=True)]
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


def _compare_at_equal_objective(
    data: Data, cs: Sequence[float], gap: float, limit: float, device: str
) -> None:
    """Prints the CPU seconds of both for each C, and the ratio of their sums."""
    rows: list[dict[str, Any]] = []
    started = time.process_time()
    for fit in _fits(data, cs, device):
        seconds = time.process_time() - started
        rows.append(_row(data, fit) | {"s": seconds})
        started = time.process_time()  # without the objective of the row
    for row, value in zip(rows, cs, strict=True):
        peer, seconds = _fit_until(data, value, row["objective"] * (1 + gap), limit)
        row |= _peer_columns(data, row, peer) | {"scikit-learn, s": seconds}
        print(markdown([row]), flush=True)
    mine, theirs = (sum(row[key] for row in rows) for key in ("s", "scikit-learn, s"))
    print(f"\n{markdown(rows)}\n\n{len(cs)} values of C, {torch.get_num_threads()} threads, on ")
    print(f"{describe_device(resolve_device(device))}: {mine:.3g} CPU seconds; scikit-learn, until")
    print(f"its objective is within {gap:g} of ours or {limit:g} CPU seconds at a C: {theirs:.3g},")
    print(f"{theirs / mine:.3g} times as many.")


def _fits(data: Data, cs: Sequence[float], device: str) -> Iterator[LogisticFit]:
    place = resolve_device(device)
    x, targets = (torch.from_numpy(array).to(place) for array in data)
    with torch.inference_mode():
        yield from fit_path(x, targets, int(data[1].max()) + 1, cs)


def _fit_peer(
    data: tuple[NDArray[np.floating], NDArray[np.int64]],
    c: float,
    max_iter: int,
    tolerance: float = 1e-4,
) -> LogisticRegression:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the iterations are printed
        return LogisticRegression(C=c, max_iter=max_iter, tol=tolerance).fit(*data)


def _fit_until(
    data: Data, c: float, objective: float, limit: float
) -> tuple[LogisticRegression, float]:
    """Fits with scikit-learn until an objective is reached, and gives the CPU seconds.

    Where rounding ends the fit of float32 features before, the fit of float64 ones counts alone.
    """
    fitted, seconds, reached = _stopped_fit(data, c, objective, limit)
    if reached or seconds > limit:
        return fitted, seconds
    fitted, seconds, _ = _stopped_fit((data[0].astype(np.float64), data[1]), c, objective, limit)
    return fitted, seconds


def _stopped_fit(
    data: tuple[NDArray[np.floating], NDArray[np.int64]], c: float, objective: float, limit: float
) -> tuple[LogisticRegression, float, bool]:
    """A fit, its CPU seconds, and whether it reached the objective."""
    started, minimize, reached = time.process_time(), scipy.optimize.minimize, False

    def callback(intermediate_result: scipy.optimize.OptimizeResult) -> None:
        nonlocal reached
        reached = c * len(data[1]) * intermediate_result.fun <= objective
        if reached or time.process_time() - started > limit:
            raise StopIteration

    def stopping(*arguments: Any, **options: Any) -> Any:
        return minimize(*arguments, **(options | {"callback": callback}))

    with patch("scipy.optimize.minimize", stopping):
        fitted = _fit_peer(data, c, 1_000_000, 1e-12)
    return fitted, time.process_time() - started, reached


def _row(data: Data, fit: LogisticFit) -> dict[str, Any]:
    ours = _objective(data, fit.c, fit.weight.cpu().numpy(), fit.intercept.cpu().numpy())
    return {
        "C": fit.c,
        "Newton steps": fit.steps,
        "converged": "yes" if fit.converged else "no",
        "objective": ours,
    }


def _peer_columns(
    data: Data, row: Mapping[str, Any], model: LogisticRegression
) -> dict[str, object]:
    theirs = _objective(data, row["C"], model.coef_, model.intercept_)
    return {
        "scikit-learn, iterations": int(model.n_iter_[0]),
        "its objective": theirs,
        "ours / its - 1": row["objective"] / theirs - 1,
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
