"""Maps of several models side by side, as a page that needs nothing else."""

import html
from collections.abc import Mapping, Sequence
from importlib import resources

import numpy as np

from lowlabel.analysis.maps.mapped import MappedImages, ModelMap
from lowlabel.escaping import script_json

_TITLE, _DATA = "{{title}}", "{{data}}"
_DECIMALS = 3


def map_page(
    images: MappedImages, models: Sequence[ModelMap], thumbnails: Mapping[int, str]
) -> str:
    """Makes an HTML page with a map for each model.

    Pointing at an image shows it, its class, its path, its distance to its nearest others and why
    it is flagged, and marks it in every map. The page loads nothing.

    Args:
        images: The images.
        models: The map of each model.
        thumbnails: Data URI of images by their row; images without one show their path alone.
    """
    data = {
        "title": images.title,
        "paths": images.paths,
        "labels": images.labels.tolist(),
        "classes": images.classes,
        "colours": images.colours,
        "flags": {str(row): reason for row, reason in images.flags.items()},
        "thumbnails": {str(row): uri for row, uri in thumbnails.items()},
        "models": [
            {
                "name": each.model,
                "points": np.round(each.map.points.astype(float), _DECIMALS).tolist(),
                "distances": np.round(each.map.outliers.distances, 4).tolist(),
                "outliers": np.flatnonzero(each.map.outliers.flagged).tolist(),
                "threshold": round(each.map.outliers.threshold, 4),
                "k": each.map.outliers.k,
            }
            for each in models
        ],
    }
    template = resources.files("lowlabel.analysis").joinpath("maps/page.html")
    before, after = template.read_text(encoding="utf-8").split(_DATA)
    title = html.escape(images.title.encode(errors="backslashreplace").decode())
    page = before.replace(_TITLE, title), script_json(data), after
    return "".join(page)
