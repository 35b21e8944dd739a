"""Scores against the epoch of the pretraining: a row for each metric, a panel for each protocol."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from lowlabel.results.figures.epoch_scores import EpochCurve, EpochPanels, epoch_panels
from lowlabel.results.figures.files import figure_files
from lowlabel.results.metrics import find_metric
from lowlabel.results.record import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PANEL = 4.2, 3.0  # inches
_WIDEST = 3  # panels in a row

Panel = tuple[str, str, Sequence[EpochCurve]]  # metric, title, curves


def render_epochs(panels: Mapping[str, EpochPanels]) -> dict[str, bytes]:
    """The figure as PNG and SVG, by suffix.

    Args:
        panels: By metric; see `epoch_panels`. At least one curve.
    """
    flat = [
        (metric, title, curves)
        for metric, found in panels.items()
        for title, curves in found.items()
    ]
    return figure_files(lambda: _figure(flat))


def panels_by_metric(records: Iterable[Record], metrics: Iterable[str]) -> dict[str, EpochPanels]:
    """The panels of each metric that has a curve."""
    kept = list(records)
    found = {metric: epoch_panels(kept, metric) for metric in metrics}
    return {metric: panels for metric, panels in found.items() if panels}


def epochs_table(panels: Mapping[str, EpochPanels]) -> pd.DataFrame:
    """The scores as a table: metric, protocol, run, method, epoch, mean, ci95."""
    rows = [
        (metric, title, curve.run, curve.method, *score)
        for metric, found in panels.items()
        for title, curves in found.items()
        for curve in curves
        for score in curve.scores
    ]
    names = ["metric", "protocol", "run", "method", "epoch", "mean", "ci95"]
    return pd.DataFrame(rows, columns=names)


def _figure(panels: Sequence[Panel]) -> "Figure":
    from matplotlib.figure import Figure

    columns = min(len(panels), _WIDEST)
    rows = -(-len(panels) // columns)
    figure = Figure((_PANEL[0] * columns, _PANEL[1] * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    names = sorted({_name(curve) for _, _, curves in panels for curve in curves})
    colours = {name: f"C{index % 10}" for index, name in enumerate(names)}
    for ax, (metric, title, curves) in zip(axes, panels, strict=False):
        for curve in curves:
            _draw(ax, curve, colours[_name(curve)])
        found = find_metric(metric)
        ax.set_title(title, fontsize=8).set_parse_math(False)
        ax.set_ylabel(f"{found.label} ({found.unit})" if found.unit else found.label, fontsize=8)
        ax.tick_params(labelsize=7)
        ax.grid(alpha=0.3)
    for empty in axes[len(panels) :]:
        empty.set_axis_off()
    figure.supxlabel("Epochs of pretraining", fontsize=9)
    _explain(figure, colours, columns)
    return figure


def _name(curve: EpochCurve) -> str:
    return f"{curve.run}, {curve.method}"


def _draw(ax: "Axes", curve: EpochCurve, colour: str) -> None:
    epochs = [score.epoch for score in curve.scores]
    low = [score.mean - score.ci95 for score in curve.scores]
    high = [score.mean + score.ci95 for score in curve.scores]
    means = [score.mean for score in curve.scores]
    ax.plot(epochs, means, color=colour, marker="o", markersize=3, linewidth=1.2)
    ax.fill_between(epochs, low, high, color=colour, alpha=0.2, linewidth=0)


def _explain(figure: "Figure", colours: Mapping[str, str], columns: int) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=colour, marker="o", markersize=3, label=name)
        for name, colour in colours.items()
    ]
    legend = figure.legend(
        handles=handles, loc="outside upper center", ncols=max(1, columns), fontsize=8
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
