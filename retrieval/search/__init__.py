"""Where the nearest images are looked for: exactly, or in an index of faiss with its recall."""

from lowlabel.registry import Registry
from lowlabel.retrieval.search.base import Index
from lowlabel.retrieval.search.flat import Flat
from lowlabel.retrieval.search.hnsw import HNSW
from lowlabel.retrieval.search.ivf import IVF
from lowlabel.specs import parse_spec

__all__ = ["EXACT", "INDEXES", "Index", "build_index"]

EXACT = "exact"  # no index: ranks are counted over the whole gallery

INDEXES: Registry[type[Index]] = Registry("search index")
for _index in (Flat, IVF, HNSW):
    INDEXES.add(_index.name, _index)


def build_index(spec: str) -> Index | None:
    """The index that a text such as "hnsw" or "ivf,probe=32" stands for; None for "exact".

    Raises:
        UnknownNameError: If there is no such index.
        InputError: If it has no such option, or the option cannot have the value.
    """
    name, options = parse_spec(spec)
    if name == EXACT and not options:
        return None
    return INDEXES[name].from_options(options)
