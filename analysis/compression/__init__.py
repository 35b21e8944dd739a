"""Scores against bytes per image: what cheaper embeddings cost."""

from lowlabel.analysis.compression.few_shot import FewShotTasks
from lowlabel.analysis.compression.measure import (
    measure_compression,
    tabulate_compression,
    usual_chains,
)
from lowlabel.analysis.compression.picture import draw_compression
from lowlabel.analysis.compression.searches import (
    ClassSearch,
    CopySearch,
    LandmarkSearch,
    Search,
    search_of,
)

__all__ = [
    "ClassSearch",
    "CopySearch",
    "FewShotTasks",
    "LandmarkSearch",
    "Search",
    "draw_compression",
    "measure_compression",
    "search_of",
    "tabulate_compression",
    "usual_chains",
]
