"""Embeddings in fewer bytes, for protocols that take features."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from lowlabel.benchmarks.protocols.base import Protocol
from lowlabel.errors import InputError
from lowlabel.features import EmbeddedDataset, EmbeddingTable
from lowlabel.fewshot import Method
from lowlabel.results import MethodInfo
from lowlabel.retrieval.post import (
    POST_PROCESSING,
    Compression,
    PostProcessing,
    build_post,
    bytes_per_image,
)

_KNOWN = [name for name, kind in POST_PROCESSING.items() if issubclass(kind, Compression)]


@dataclass(frozen=True, kw_only=True)
class CompressedProtocol(Protocol):
    """A protocol whose features may be compressed.

    Attributes:
        post: Compression of the features, in order, or specs: "truncate:128", "int8", "binary".
    """

    post: tuple[Compression, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "post", _build(self.post))

    @classmethod
    def has_option(cls, option: str, value: object) -> bool:
        """As `Protocol.has_option`; of post-processing, compressions alone."""
        fits = option != "post" or _are_compressions(value)
        return fits and super().has_option(option, value)

    def prepared(self, data: EmbeddedDataset) -> EmbeddedDataset:
        """Compresses the features of every part, which keep their keys."""
        if not self.post:
            return data
        tables = {part: self._compressed(table) for part, table in data.tables.items()}
        return replace(data, tables=tables)

    def method_info(self, method: Method, options: Mapping[str, object]) -> MethodInfo:
        """A method of compressed features, such as "int8+ncm,norm=l2n", with further options."""
        return MethodInfo(
            "+".join([*(step.spec for step in self.post), method.spec]),
            {**method.options, **options, **{step.spec: step.options for step in self.post}},
            method.transductive,
            method.version,
        )

    def bytes_of(self, data: EmbeddedDataset) -> dict[str, int]:
        """Bytes per image of `prepared` data; nothing if it is not compressed."""
        if not self.post:
            return {}
        width = data.evaluated.features.shape[1]
        return {"bytes": bytes_per_image([step for step in self.post if step.bits], width)}

    def _compressed(self, table: EmbeddingTable) -> EmbeddingTable:
        rows = torch.from_numpy(table.features)
        for step in self.post:
            rows = step.compress(rows)
        return replace(table, features=rows.numpy())


def stored_bytes(data: EmbeddedDataset, steps: Sequence[PostProcessing]) -> dict[str, int]:
    """Bytes per image after steps with a compression among them; else nothing."""
    if not any(isinstance(step, Compression) for step in steps):
        return {}
    return {"bytes": bytes_per_image(steps, data.evaluated.features.shape[1])}


def _are_compressions(value: object) -> bool:
    """Whether all specs are compressions; unknown names are for every protocol to refuse."""
    specs = value if isinstance(value, tuple | list) else (value,)
    names = [str(spec).partition(",")[0].partition(":")[0] for spec in specs]
    return all(name in _KNOWN or name not in POST_PROCESSING for name in names)


def _build(post: Sequence[str | PostProcessing]) -> tuple[Compression, ...]:
    built = tuple(map(build_post, post))
    others = [step.spec for step in built if not isinstance(step, Compression)]
    if others:
        raise InputError(
            f"--post {others[0]} changes the ranks of retrieval, and classifiers have none",
            f"Choose among {', '.join(_KNOWN)}, or leave --post out.",
        )
    return tuple(step for step in built if isinstance(step, Compression))
