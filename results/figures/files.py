"""Figures as files with the same bytes for the same content."""

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_METADATA: dict[str, dict[str, None]] = {"png": {"Software": None}, "svg": {"Date": None}}


def figure_files(make: Callable[[], "Figure"]) -> dict[str, bytes]:
    """A figure as PNG and SVG, by suffix."""
    from matplotlib import rc_context

    rendered = {}
    with rc_context({"svg.hashsalt": "lowlabel"}):
        figure = make()
        for kind, metadata in _METADATA.items():
            content = io.BytesIO()
            figure.savefig(content, format=kind, dpi=150, metadata=metadata)
            rendered[kind] = content.getvalue()
    return rendered
