"""Accuracy against labels per class: models side by side, a panel for each dataset and method."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from lowlabel.results.figures.curves import Curve, Panels, Point, panels
from lowlabel.results.figures.files import figure_files
from lowlabel.results.record import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Line = Literal["-", "--", ":", "-."]
_PANEL = 3.0, 2.5  # inches
_WIDEST = 5  # panels in a row
_LINES: tuple[Line, ...] = ("-", "--", ":", "-.")


def render_label_budget(records: Iterable[Record]) -> dict[str, bytes]:
    """The figure as PNG and SVG, by suffix; empty if no record is of a label budget."""
    found = panels(records)
    return figure_files(lambda: _figure(found)) if found else {}


def _figure(found: Panels) -> "Figure":
    from matplotlib.figure import Figure

    columns = min(max(map(len, found.values())), _WIDEST)
    rows = sum(_rows(methods, columns) for methods in found.values())
    figure = Figure((_PANEL[0] * columns, _PANEL[1] * rows + 0.6), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    styles = _styles(found)
    first = 0
    for dataset, methods in found.items():
        cells = axes[first : first + _rows(methods, columns)].ravel()
        for ax, (method, curves) in zip(cells, methods.items(), strict=False):
            if ax is not cells[0]:
                ax.sharey(cells[0])
            _draw(ax, curves, styles)
            ax.set_title(method, fontsize=8)
        cells[0].set_title(f"{dataset}\n", fontsize=8, loc="left")  # may be as long as the row
        for empty in cells[len(methods) :]:
            empty.set_axis_off()
        first += _rows(methods, columns)
    _explain(figure, styles, columns)
    return figure


def _rows(methods: Mapping[str, object], columns: int) -> int:
    return -(-len(methods) // columns)


def _styles(found: Panels) -> dict[str, tuple[str, Line]]:
    """Colour and line of each model, the same in all panels."""
    every = [curve for methods in found.values() for curves in methods.values() for curve in curves]
    models = sorted({curve.model for curve in every})
    return {m: (f"C{i % 10}", _LINES[i // 10 % len(_LINES)]) for i, m in enumerate(models)}


def _draw(ax: "Axes", curves: Sequence[Curve], styles: Mapping[str, tuple[str, Line]]) -> None:
    for curve in curves:
        colour, line = styles[curve.model]
        x, low, mean, high = _columns(curve.per_class)
        ax.plot(x, mean, color=colour, linestyle=line, marker="o", markersize=3, linewidth=1.2)
        ax.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)
        x, low, mean, high = _columns(curve.shares)
        ax.vlines(x, low, high, color=colour, linewidth=0.8)
        ax.plot(x, mean, "D", color=colour, markersize=4, fillstyle="none")
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter("")
    ax.grid(alpha=0.3)
    ax.tick_params(labelsize=7)


def _columns(points: Sequence[Point]) -> tuple[list[float], list[float], list[float], list[float]]:
    """Labels per class, and the lower end, the mean and the upper end of each score."""
    return (
        [point.labels for point in points],
        [point.mean - point.ci95 for point in points],
        [point.mean for point in points],
        [point.mean + point.ci95 for point in points],
    )


def _explain(figure: "Figure", styles: Mapping[str, tuple[str, Line]], columns: int) -> None:
    """Names the axes and the models."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=colour, linestyle=line, marker="o", markersize=3, label=model)
        for model, (colour, line) in styles.items()
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=columns, fontsize=8)
    figure.supxlabel("Labels per class, on average (diamonds: shares and lists)", fontsize=9)
    figure.supylabel("Top-1 accuracy (%) with its 95 % interval", fontsize=9)
