"""Maps of several models side by side, as a picture."""

import io
import math
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from lowlabel.analysis.maps.mapped import MappedImages, ModelMap

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INCHES, _DPI = 6.0, 120
_MOST_COLUMNS = 3
_MOST_NAMED = 20  # classes in the legend
_FLAG = "#c8102e"


def draw_maps(images: MappedImages, models: Sequence[ModelMap]) -> Image.Image:
    """Draws a panel for each model: a point for each image in the colour of its class.

    Outliers have a black ring, images that are flagged a red cross. Up to 20 classes are named.

    Args:
        images: The images.
        models: The map of each model, at least one.

    Returns:
        An RGB picture.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(len(models), _MOST_COLUMNS)
    rows = math.ceil(len(models) / columns)
    figure = Figure((columns * _INCHES, rows * _INCHES), _DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel, model in zip(axes, models, strict=False):
        _draw_panel(panel, images, model)
    for unused in axes[len(models) :]:
        unused.set_axis_off()
    title = figure.suptitle(_plain(f"{images.title}: {len(images.paths):,} images"))
    title.set_parse_math(False)
    _name(figure, images)
    encoded = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # of scripts that the font lacks
        figure.savefig(encoded, format="png")
    return Image.open(encoded).convert("RGB")


def _draw_panel(panel: "Axes", images: MappedImages, model: ModelMap) -> None:
    points, outliers = model.map.points, model.map.outliers.flagged
    size = float(np.clip(20_000 / len(points), 3, 40))
    colours = np.array(images.colours)[images.labels]
    x, y = points.T
    panel.scatter(x, y, s=size, c=colours.tolist(), linewidths=0)
    rings: dict[str, Any] = {"facecolors": "none", "edgecolors": "black", "linewidths": 0.8}
    panel.scatter(x[outliers], y[outliers], s=3 * size, **rings)
    flagged = sorted(images.flags)
    panel.scatter(x[flagged], y[flagged], s=3 * size, c=_FLAG, marker="x", linewidths=1)
    marks = f"{outliers.sum():,} outliers" + (f", {len(flagged):,} flagged" if flagged else "")
    panel.set_title(_plain(f"{model.model}: {marks}"), fontsize=10).set_parse_math(False)
    panel.set_xticks([])
    panel.set_yticks([])


def _name(figure: Any, images: MappedImages) -> None:
    """Names the marks, and the classes if they are few."""
    from matplotlib.lines import Line2D

    dot: dict[str, Any] = {"linestyle": "none", "markersize": 6, "markeredgewidth": 0}
    marks = [Line2D([], [], marker="o", markeredgecolor="black", markerfacecolor="none", ls="")]
    names = ["outlier"]
    if images.flags:
        marks.append(Line2D([], [], marker="x", color=_FLAG, ls=""))
        names.append("flagged")
    if len(images.classes) <= _MOST_NAMED:
        marks += [Line2D([], [], marker="o", color=colour, **dot) for colour in images.colours]
        names += [_plain(name) for name in images.classes]
    legend = figure.legend(marks, names, loc="outside lower center", ncols=6, fontsize=8)
    for text in legend.get_texts():
        text.set_parse_math(False)


def _plain(name: str) -> str:
    """A name that matplotlib draws as it is: it hides labels that begin with _."""
    shown = name.encode(errors="backslashreplace").decode()
    return f" {shown}" if shown.startswith("_") else shown
