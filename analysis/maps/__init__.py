"""Maps of embeddings in two dimensions, as a picture and as a page."""

from lowlabel.analysis.maps.embedding_map import EmbeddingMap, map_embeddings, require_umap
from lowlabel.analysis.maps.figure import draw_maps
from lowlabel.analysis.maps.flags import read_flags
from lowlabel.analysis.maps.mapped import MappedImages, ModelMap
from lowlabel.analysis.maps.page import map_page
from lowlabel.analysis.maps.thumbnails import shown_rows, thumbnails

__all__ = [
    "EmbeddingMap",
    "MappedImages",
    "ModelMap",
    "draw_maps",
    "map_embeddings",
    "map_page",
    "read_flags",
    "require_umap",
    "shown_rows",
    "thumbnails",
]
