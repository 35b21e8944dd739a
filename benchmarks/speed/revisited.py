"""Landmark retrieval among a million images: `python -m lowlabel.benchmarks.speed.revisited`.

70 queries against 4,993 images and 1,000,000 distractors read from an HDF5 file. The limit is
reading the distractors and one float32 product of every block with the queries. The peer computes
the published protocol directly: the whole similarity matrix, a full sort, and three mean average
precisions from the ranks of the positives.
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import torch
import typer
from numpy.typing import NDArray

from lowlabel.benchmarks.speed.processes import (
    Run,
    in_new_process,
    rows_with_ratio,
    runs_in_turn,
    timed,
)
from lowlabel.benchmarks.speed.timing import markdown
from lowlabel.devices import describe_device, peak_memory_mb, resolve_device
from lowlabel.retrieval import evaluate_revisited

BLOCK = 16_384
LABELS = {"easy": 43, "hard": 36, "junk": 19}  # images per query, averages of ROxford5k
MODES = {"easy": ("easy",), "medium": ("easy", "hard"), "hard": ("hard",)}
LIMIT = "reading + bare product"
PEER = "whole product, argsort, three mAPs"

Truth = list[dict[str, NDArray[np.int64]]]


@dataclass(frozen=True)
class Sizes:
    """Sizes of queries and gallery, the file of distractors, and the device to compute on."""

    file: Path
    queries: int
    gallery: int
    width: int
    device: str

    def data(self) -> "Data":
        """Random features; queries are near their easy images, less near their hard ones."""
        random = np.random.default_rng(0)
        query = random.standard_normal((self.queries, self.width), dtype=np.float32)
        gallery = random.standard_normal((self.gallery, self.width), dtype=np.float32)
        truth = []
        for features in query:
            rows = random.permutation(self.gallery)[: sum(LABELS.values())]
            parts = np.split(rows, np.cumsum(list(LABELS.values()))[:-1])
            labelled = dict(zip(LABELS, parts, strict=True))
            gallery[labelled["easy"]] += 0.35 * features
            gallery[labelled["hard"]] += 0.2 * features
            truth.append(labelled)
        return Data(query, gallery, truth, self.device)


@dataclass(frozen=True)
class Data:
    """Arrays in memory: queries [Q, D], gallery [G, D] and the ground truth of each query."""

    query: NDArray[np.float32]
    gallery: NDArray[np.float32]
    truth: Truth
    device: str


def main(
    distractors: int = 1_000_000,
    gallery: int = 4_993,
    queries: int = 70,
    width: int = 384,
    repeats: int = 3,
    peer: bool = True,
    device: str = "auto",
) -> None:
    """Prints seconds, their ratio to the limit, peak memory and the medium mAP."""
    with tempfile.TemporaryDirectory() as folder:
        sizes = Sizes(Path(folder) / "distractors.h5", queries, gallery, width, device)
        _write(sizes.file, distractors, width)
        jobs = [job for job in JOBS if peer or job != PEER]
        importing = in_new_process(peak_memory_mb)
        runs = runs_in_turn(jobs, _run, sizes, repeats)
    print(markdown(rows_with_ratio(runs, LIMIT, "× limit", "mAP M, %")))
    size = 4 * distractors * width / 2**20
    print(f"\n{queries} queries, {gallery + distractors:,} images, {width} dimensions; the file of")
    print(f"distractors has {size:.0f} MiB. Medians of {repeats} runs in turn on")
    print(f"{describe_device(resolve_device(device))}, each in a new process. Peak memory includes")
    print(f"{importing:.0f} MiB from importing libraries.")


def _write(path: Path, rows: int, width: int) -> None:
    random = np.random.default_rng(1)
    with h5py.File(path, "w") as file:
        features = file.create_dataset("features", (rows, width), "float32")
        for start in range(0, rows, BLOCK):
            block = (min(BLOCK, rows - start), width)
            features[start : start + BLOCK] = random.standard_normal(block, dtype=np.float32)


def _run(job: str, sizes: Sizes) -> Run:
    data, evaluate = sizes.data(), JOBS[job]
    with h5py.File(sizes.file) as file:
        evaluate(data, file["features"][:BLOCK])  # warm-up
        return timed(partial(evaluate, data, file["features"]))


def _limit(data: Data, distractors: h5py.Dataset) -> None:
    device = resolve_device(data.device)
    unit = torch.nn.functional.normalize(torch.from_numpy(data.query)).to(device)
    out = torch.empty(len(unit), BLOCK, device=device)
    for source in (data.gallery, distractors):
        for start in range(0, len(source), BLOCK):
            rows = torch.from_numpy(source[start : start + BLOCK]).to(device)
            torch.mm(unit, rows.T, out=out[:, : len(rows)])
    if device.type == "cuda":
        torch.cuda.synchronize()


def _ours(data: Data, distractors: h5py.Dataset) -> float:
    result = evaluate_revisited(
        data.query, data.gallery, data.truth, distractors=distractors, device=data.device
    )
    return result.metrics["map_medium"]


def _plain(data: Data, distractors: h5py.Dataset) -> float:
    database = np.concatenate([data.gallery, distractors[()]])
    database /= np.linalg.norm(database, axis=1, keepdims=True)
    query = data.query / np.linalg.norm(data.query, axis=1, keepdims=True)
    order = np.argsort(-(query @ database.T), axis=1)
    pairs = list(zip(order, data.truth, strict=True))
    scores = {
        mode: float(np.mean([_area(*pair, kinds) for pair in pairs]))
        for mode, kinds in MODES.items()
    }
    return scores["medium"]


def _area(
    order: NDArray[np.int64], labelled: dict[str, NDArray[np.int64]], kinds: Sequence[str]
) -> float:
    """Average precision by trapezoids, in percent, after removing ignored images from the order."""
    positive = np.concatenate([labelled[kind] for kind in kinds])
    ignored = np.concatenate([labelled[kind] for kind in LABELS if kind not in kinds])
    ignored_ranks = np.flatnonzero(np.isin(order, ignored))
    ranks = np.flatnonzero(np.isin(order, positive))
    ranks -= np.searchsorted(ignored_ranks, ranks)
    found = np.arange(len(ranks))
    before = np.where(ranks == 0, 1.0, found / np.maximum(ranks, 1))
    return float(50 * (before + (found + 1) / (ranks + 1)).mean())


JOBS: dict[str, Callable[..., float | None]] = {
    LIMIT: _limit,
    "lowlabel": _ours,
    PEER: _plain,
}


if __name__ == "__main__":
    typer.run(main)
