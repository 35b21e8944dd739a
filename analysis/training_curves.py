"""The curves of a training run: loss, k-NN, rates and signs of collapse against the epoch."""

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from PIL import Image

from lowlabel.errors import DataError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INCHES, _DPI, _COLUMNS = (4.2, 2.8), 120, 3
_PANELS = {  # titles of the panels and the logged values that each draws
    "Loss": ("loss", "dino_loss", "layer2_loss", "layer3_loss", "layer4_loss"),
    "k-NN Top-1 (%)": ("knn_top1",),
    "Learning rate": ("lr",),
    "Teacher temperature": ("teacher_temperature",),
    "Entropy (nats)": ("teacher_entropy", "usage_entropy"),
    "Feature std": ("feature_std",),
    "Teacher momentum": ("teacher_momentum",),
    "Weight decay": ("weight_decay",),
    "Gradient norm": ("gradient_norm",),
}
_OTHERS = {"step", "epoch", "images_per_second"}

Points = Sequence[tuple[float, float]]


def training_curves(entries: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Points]]:
    """Values by panel and name, each as (epoch, value); panels without values are left out.

    Args:
        entries: The lines of a run's metrics, each with "epoch". Values that no panel knows get a
            panel of their own.

    Raises:
        DataError: If no line has a value.
    """
    found: dict[str, list[tuple[float, float]]] = {}
    for entry in entries:
        for name, value in entry.items():
            if name not in _OTHERS and isinstance(value, int | float):
                found.setdefault(name, []).append((float(entry["epoch"]), float(value)))
    known = {name for names in _PANELS.values() for name in names}
    panels = {
        **_PANELS,
        **{name.replace("_", " "): (name,) for name in found if name not in known},
    }
    curves: dict[str, dict[str, Points]] = {
        title: {name: found[name] for name in names if name in found}
        for title, names in panels.items()
    }
    if not found:
        raise DataError("the metrics hold no values", "Train for at least one epoch.")
    return {title: values for title, values in curves.items() if values}


def draw_training(title: str, curves: Mapping[str, Mapping[str, Points]]) -> Image.Image:
    """Draws a panel for each entry of `training_curves`.

    Returns:
        An RGB picture.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(len(curves), _COLUMNS)
    rows = -(-len(curves) // columns)
    size = columns * _INCHES[0], rows * _INCHES[1] + 0.3
    figure = Figure(size, _DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax, (name, values) in zip(axes, curves.items(), strict=False):
        _draw(ax, name, values)
    for empty in axes[len(curves) :]:
        empty.set_axis_off()
    figure.suptitle(title, fontsize=11).set_parse_math(False)
    figure.supxlabel("Epochs", fontsize=9)
    encoded = io.BytesIO()
    figure.savefig(encoded, format="png")
    return Image.open(encoded).convert("RGB")


def _draw(ax: "Axes", title: str, values: Mapping[str, Points]) -> None:
    for name, points in values.items():
        x, y = zip(*points, strict=True)
        marker = "o" if len(points) < 30 else ""
        ax.plot(x, y, label=name.replace("_", " "), linewidth=1.2, marker=marker, markersize=3)
    ax.set_title(title, fontsize=9)
    ax.tick_params(labelsize=7)
    ax.grid(alpha=0.3)
    if len(values) > 1:
        ax.legend(fontsize=7)
