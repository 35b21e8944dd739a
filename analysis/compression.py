"""Scores against bytes per image: what cheaper embeddings cost."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor

from lowlabel.arrays import Features, Labels, as_features
from lowlabel.errors import InputError
from lowlabel.fewshot import evaluate_fewshot
from lowlabel.progress import Progress
from lowlabel.retrieval import evaluate_retrieval
from lowlabel.retrieval.post import (
    Compression,
    PostProcessing,
    build_chain,
    bytes_per_image,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FLOAT = "float32"
COLUMNS = ("model", "embedding", "bytes", "metric", "mean", "ci95")
_RETRIEVAL = ("recall@1", "map@r")
_INCHES, _DPI = (3.6, 3.0), 120
_WAYS, _QUERIES = 5, 15


@dataclass(frozen=True)
class FewShotTasks:
    """The few-shot tasks that compressed features are scored on.

    Attributes:
        method: Spec of the method.
        shots: Labelled images per class.
        tasks: Number of tasks.
        seed: Random seed.
    """

    method: str = "ncm,norm=l2"
    shots: tuple[int, ...] = (1, 5)
    tasks: int = 2000
    seed: int = 0

    def scores(
        self,
        features: Tensor,
        labels: Labels,
        steps: Sequence[PostProcessing],
        device: str | torch.device,
    ) -> Iterator[tuple[str, float, float]]:
        """Yields "1-shot" and so on with mean and interval in percent, after some compressions."""
        for step in steps:
            assert isinstance(step, Compression)
            features = step.compress(features)
        for shots in self.shots:
            result = evaluate_fewshot(
                features,
                labels,
                method=self.method,
                ways=_WAYS,
                shots=shots,
                queries=_QUERIES,
                tasks=self.tasks,
                seed=self.seed,
                interval="tasks",
                device=device,
            )
            yield f"{shots}-shot", result.mean, result.ci95


def usual_chains(dimensions: int) -> list[str]:
    """A half, a quarter and an eighth of the dimensions; fewer bits; and both."""
    parts = [f"truncate:{dimensions // part}" for part in (2, 4, 8) if dimensions >= 8 * part]
    both = [f"{part}+int8" for part in parts[1:2]] + [f"{part}+binary" for part in parts[:1]]
    return [*parts, "int8", "binary", *both]


def measure_compression(
    model: str,
    features: Features,
    labels: Labels,
    *,
    gallery: tuple[Features, Labels] | None = None,
    chains: Sequence[str] = (),
    fewshot: FewShotTasks | None = None,
    device: str | torch.device = "auto",
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Scores embeddings as they are and after each chain of compressions.

    Args:
        model: Name in the table.
        features: Embeddings of the evaluated images, floats [N, D].
        labels: Class of each, integers [N].
        gallery: Features [G, D] and labels [G] to search in; by default the images themselves.
        chains: Compressions joined by "+", such as "truncate:128+int8"; `usual_chains` by default.
        fewshot: Few-shot tasks to score too; none by default.
        device: Device to compute on.
        progress: Called with (embeddings done, embeddings).

    Returns:
        A row for each embedding and metric, with `COLUMNS`: bytes per image, and mean and
        half-width of the 95 % interval in percent (over classes in retrieval, over tasks in
        few-shot).

    Raises:
        InputError: If a chain holds anything but compressions, or the arrays are invalid.
    """
    rows = as_features(features)
    width = rows.shape[1]
    built: dict[str, list[PostProcessing]] = {FLOAT: []} | {
        chain: build_chain(chain.split("+")) for chain in chains or usual_chains(width)
    }
    for steps in built.values():
        _require_compressions(steps)
    found = []
    for done, (name, steps) in enumerate(built.items(), 1):
        size = bytes_per_image(steps, width)
        result = evaluate_retrieval(
            rows, labels, gallery=gallery, post=steps, ks=(1,), device=device
        )
        found += [
            (model, name, size, metric, result.metrics[metric], result.ci95[metric])
            for metric in _RETRIEVAL
        ]
        for metric, mean, ci95 in fewshot.scores(rows, labels, steps, device) if fewshot else ():
            found.append((model, name, size, metric, mean, ci95))
        if progress is not None:
            progress(done, len(built))
    return pd.DataFrame(found, columns=list(COLUMNS))


def tabulate_compression(table: pd.DataFrame) -> pd.DataFrame:
    """A row for each model and embedding, a column for each metric, as "mean±half-width"."""
    shown = table.assign(score=[f"{m:.2f}±{c:.2f}" for m, c in table[["mean", "ci95"]].to_numpy()])
    wide = shown.pivot(index=["model", "embedding", "bytes"], columns="metric", values="score")
    rows = pd.MultiIndex.from_frame(table[["model", "embedding", "bytes"]].drop_duplicates())
    return wide.loc[rows, table["metric"].unique()].reset_index().rename_axis(columns=None)


def draw_compression(title: str, table: pd.DataFrame) -> Image.Image:
    """Draws each metric against bytes per image, with a line through the best of each size.

    Returns:
        An RGB picture.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    metrics = list(dict.fromkeys(table["metric"]))
    figure = Figure((len(metrics) * _INCHES[0], _INCHES[1] + 0.3), _DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(metrics), squeeze=False).ravel()
    for ax, metric in zip(axes, metrics, strict=True):
        _draw(ax, table[table["metric"] == metric])
        ax.set_title(f"{metric} (%)", fontsize=9)
    axes[0].legend(fontsize=7)
    figure.suptitle(title, fontsize=11).set_parse_math(False)
    figure.supxlabel("Bytes per image", fontsize=9)
    encoded = io.BytesIO()
    figure.savefig(encoded, format="png")
    return Image.open(encoded).convert("RGB")


def _draw(ax: "Axes", table: pd.DataFrame) -> None:
    for place, (model, rows) in enumerate(table.groupby("model", sort=False)):
        colour = f"C{place % 10}"
        ax.errorbar(rows["bytes"], rows["mean"], rows["ci95"], fmt="o", color=colour, markersize=3)
        best = rows.groupby("bytes")["mean"].max()
        line = ax.plot(best.index, np.maximum.accumulate(best), color=colour, linewidth=1.0)
        line[0].set_label(str(model))
        for name, x, y in rows[["embedding", "bytes", "mean"]].itertuples(index=False):
            text = ax.annotate(name, (x, y), (3, 3), textcoords="offset points", fontsize=5)
            text.set_parse_math(False)
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_formatter("{x:g}")
    ax.grid(alpha=0.3)
    ax.tick_params(labelsize=7)


def _require_compressions(steps: Sequence[PostProcessing]) -> None:
    for step in steps:
        if not isinstance(step, Compression):
            raise InputError(
                f"{step.spec} is no compression",
                "Choose among truncate:D, int8 and binary, joined by +.",
            )
