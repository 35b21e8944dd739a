"""Indexes of faiss that can replace the exact search; their recall is measured."""

from lowlabel.registry import Registry
from lowlabel.retrieval.search.base import Index
from lowlabel.retrieval.search.flat import Flat
from lowlabel.retrieval.search.hnsw import HNSW
from lowlabel.retrieval.search.ivf import IVF
from lowlabel.specs import parse_spec, require_text

__all__ = ["EXACT", "INDEXES", "Index", "build_index"]

EXACT = "exact"  # no index: ranks are counted over the whole gallery

INDEXES: Registry[type[Index]] = Registry("search index")
for _index in (Flat, IVF, HNSW):
    INDEXES.add(_index.name, _index)


def build_index(spec: str | Index) -> Index | None:
    """Builds an index from a spec such as "hnsw" or "ivf,probe=32"; None for "exact".

    An index is returned as it is.

    Raises:
        UnknownNameError: If there is no such index.
        InputError: If it has no such option, or the value is not allowed.
    """
    if isinstance(spec, Index):
        return spec
    require_text("search index", spec)
    name, options = parse_spec(spec)
    if name == EXACT and not options:
        return None
    return INDEXES[name].from_options(options)
