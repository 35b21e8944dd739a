"""Scores against bytes per image as a picture."""

import io
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from PIL import Image

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INCHES, _DPI = (3.6, 3.0), 120


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
