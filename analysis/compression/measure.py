"""Scores and bytes per image of embeddings, as they are and compressed."""

from collections.abc import Sequence

import pandas as pd
import torch

from lowlabel.analysis.compression.few_shot import FewShotTasks
from lowlabel.analysis.compression.searches import ClassSearch, Search
from lowlabel.arrays import as_features
from lowlabel.errors import InputError
from lowlabel.progress import Progress
from lowlabel.retrieval.post import Compression, PostProcessing, build_chain, bytes_per_image

FLOAT = "float32"
COLUMNS = ("model", "embedding", "bytes", "metric", "mean", "ci95")


def usual_chains(dimensions: int) -> list[str]:
    """A half, a quarter and an eighth of the dimensions; fewer bits; and both."""
    parts = [f"truncate:{dimensions // part}" for part in (2, 4, 8) if dimensions >= 8 * part]
    both = [f"{part}+int8" for part in parts[1:2]] + [f"{part}+binary" for part in parts[:1]]
    return [*parts, "int8", "binary", *both]


def measure_compression(
    model: str,
    search: Search,
    *,
    chains: Sequence[str] = (),
    fewshot: FewShotTasks | None = None,
    device: str | torch.device = "auto",
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Scores embeddings as they are and after each chain of compressions.

    Args:
        model: Name in the table.
        search: What is searched, with the embeddings: `ClassSearch`, `LandmarkSearch` or
            `CopySearch`.
        chains: Compressions joined by "+", such as "truncate:128+int8"; `usual_chains` by default.
        fewshot: Few-shot tasks to score too, of the images of a `ClassSearch`; none by default.
        device: Device to compute on.
        progress: Called with (embeddings done, embeddings).

    Returns:
        A row for each embedding and metric, with `COLUMNS`: bytes per image, and mean and
        half-width of the 95 % interval in percent (over classes, landmarks or originals in
        retrieval, over tasks in few-shot).

    Raises:
        InputError: If a chain holds anything but compressions, the arrays are invalid, or few-shot
            tasks are asked for where there are no classes.
    """
    if fewshot and not isinstance(search, ClassSearch):
        raise InputError("few-shot tasks need classes, and these images have none")
    rows = as_features(search.features)
    width = rows.shape[1]
    built: dict[str, list[PostProcessing]] = {FLOAT: []} | {
        chain: build_chain(chain.split("+")) for chain in chains or usual_chains(width)
    }
    for steps in built.values():
        _require_compressions(steps)
    found = []
    for done, (name, steps) in enumerate(built.items(), 1):
        size = bytes_per_image(steps, width)
        result = search.evaluate(steps, device)
        scores = [(each, result.metrics[each], result.ci95[each]) for each in search.metrics]
        if fewshot and isinstance(search, ClassSearch):
            scores += fewshot.scores(rows, search.labels, steps, device)
        found += [(model, name, size, *score) for score in scores]
        if progress is not None:
            progress(done, len(built))
    return pd.DataFrame(found, columns=list(COLUMNS))


def tabulate_compression(table: pd.DataFrame) -> pd.DataFrame:
    """A row for each model and embedding, a column for each metric, as "mean±half-width"."""
    shown = table.assign(score=[f"{m:.2f}±{c:.2f}" for m, c in table[["mean", "ci95"]].to_numpy()])
    wide = shown.pivot(index=["model", "embedding", "bytes"], columns="metric", values="score")
    rows = pd.MultiIndex.from_frame(table[["model", "embedding", "bytes"]].drop_duplicates())
    return wide.loc[rows, table["metric"].unique()].reset_index().rename_axis(columns=None)


def _require_compressions(steps: Sequence[PostProcessing]) -> None:
    for step in steps:
        if not isinstance(step, Compression):
            raise InputError(
                f"{step.spec} is no compression",
                "Choose among truncate:D, int8 and binary, joined by +.",
            )
