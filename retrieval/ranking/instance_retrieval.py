"""The common part of landmark retrieval and copy detection: from arrays to ranked positives."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lowlabel.arrays import (
    Features,
    Labels,
    as_features,
    as_integers,
    as_labels,
    require_name,
    require_same_width,
)
from lowlabel.devices import scoring_device
from lowlabel.embeddings import Embeddings
from lowlabel.errors import InputError
from lowlabel.progress import Progress
from lowlabel.retrieval.intervals import score_intervals
from lowlabel.retrieval.ranking.comparison import Ties
from lowlabel.retrieval.ranking.database import Database, Judgements, RankedPositives
from lowlabel.retrieval.ranking.products import Transform, embed_transformed
from lowlabel.retrieval.ranking.sources import RowSource, as_sources, require_one_model
from lowlabel.retrieval.result import RetrievalInterval, RetrievalResult, require_interval
from lowlabel.workers import cpu_workers

_BLOCK_VALUES = 2**22  # features, or similarities, in a block: 16 MB in float32


@dataclass(frozen=True, kw_only=True)
class InstanceSearch(ABC):
    """A search for given images: what ranks them, and what the result says.

    Attributes:
        ties: How a negative as similar as a positive is ranked.
        groups: Group of each query, int64 [Q], if groups are given.
        interval: The kind of interval that the result shows.
    """

    ties: Ties
    groups: NDArray[np.int64] | None
    interval: RetrievalInterval

    @property
    @abstractmethod
    def query_count(self) -> int:
        """Q."""

    @property
    @abstractmethod
    def image_count(self) -> int:
        """G, without distractors."""

    @abstractmethod
    def rank(
        self, positives: Sequence[Tensor], ignored: Sequence[Tensor], progress: Progress | None
    ) -> RankedPositives:
        """Ranks the positives of all queries that have any.

        Args:
            positives: Rows in the gallery, int64 [n] per query.
            ignored: Rows in the gallery that are treated as absent, int64 [n] per query.
            progress: Called with what is done and its total.

        Raises:
            InputError: If no query has a positive, or the images cannot be compared.
        """

    def result(
        self,
        scores: Mapping[str, Tensor],
        ranked: RankedPositives,
        classes: NDArray[np.int64],
        noun: str,
    ) -> RetrievalResult:
        """Builds the result.

        Args:
            scores: Scores [Q], which are NaN for queries without a positive.
            ranked: The ranked positives.
            classes: Class of each query [Q].
            noun: What a class is, in the plural.
        """
        scored = ranked.query.unique().cpu()
        rows = scored.numpy()
        per_query = {name: values.cpu()[scored].numpy() for name, values in scores.items()}
        groups = None if self.groups is None else self.groups[rows]
        return RetrievalResult.of(
            per_query,
            intervals=score_intervals(per_query, classes[rows], groups=groups, noun=noun),
            interval=self.interval,
            query_index=rows,
            lone=self.query_count - len(scored),
            lone_queries="exclude",
            ties=self.ties,
        )


def with_positives(positives: Sequence[Tensor]) -> Tensor:
    """The queries that have positives, those with the fewest first, int64 [n].

    Raises:
        InputError: If there is none.
    """
    number = torch.tensor([len(rows) for rows in positives])
    order = number.argsort(stable=True)[int((number == 0).sum()) :]
    if not len(order):
        raise InputError(f"none of the {len(number)} queries has an image to find")
    return order


@dataclass(frozen=True, kw_only=True)
class InstanceRetrieval(InstanceSearch):
    """Search by cosine: the checked arguments of `evaluate_revisited` or `evaluate_copies`.

    Attributes:
        queries: Floats [Q, D].
        gallery: Floats [G, D].
        gallery_name: Name of the gallery in messages.
        distractors: Sources of further images.
        transform: Applied to queries, gallery and each block of distractors.
        block_rows: Database images that each thread compares at once.
        device: Device to compute on.
    """

    queries: Tensor
    gallery: Tensor
    gallery_name: str
    distractors: Sequence[RowSource]
    transform: Transform | None
    block_rows: int
    device: torch.device

    @classmethod
    def of(
        cls,
        query: Features,
        gallery: Features,
        distractors: RowSource | Sequence[RowSource],
        *,
        gallery_name: str = "gallery",
        ties: Ties,
        transform: Transform | None,
        groups: Labels | None,
        interval: RetrievalInterval,
        block_size: int | None,
        device: str | torch.device,
    ) -> "InstanceRetrieval":
        """Checks the arguments that both evaluations share.

        Raises:
            InputError: If shapes or models do not match, or an option is out of range.
            UnknownNameError: If there is no such tie policy or interval.
        """
        require_name("tie policy", ties, get_args(Ties))
        require_interval(interval, groups)
        queries = as_features(query, "query features")
        images = as_features(gallery, f"{gallery_name} features")
        width = queries.shape[1]
        require_same_width({"query features": width, f"{gallery_name} features": images.shape[1]})
        sources = as_sources(distractors, width)
        named = {f"distractors[{number}]": source for number, source in enumerate(sources)}
        require_one_model({"query": query, gallery_name: gallery, **named})
        if block_size is None:
            block_size = max(1, _BLOCK_VALUES // max(queries.shape))
        (block_rows,) = as_integers(1, block_size=block_size)
        return cls(
            queries=queries,
            gallery=images,
            gallery_name=gallery_name,
            distractors=sources,
            ties=ties,
            transform=transform,
            block_rows=block_rows,
            device=scoring_device(device),
            groups=None if groups is None else as_labels(groups, len(queries), "groups"),
            interval=interval,
        )

    @property
    def query_count(self) -> int:
        """Q."""
        return len(self.queries)

    @property
    def image_count(self) -> int:
        """G."""
        return len(self.gallery)

    def rank(
        self, positives: Sequence[Tensor], ignored: Sequence[Tensor], progress: Progress | None
    ) -> RankedPositives:
        """Ranks by cosine, database images at a time; see `InstanceSearch.rank`."""
        order = with_positives(positives)
        database = Database(
            self._embed(self.queries[order], "query features"),
            self._embed(self.gallery, f"{self.gallery_name} features"),
            Judgements([positives[q] for q in order], [ignored[q] for q in order]),
            self.distractors,
            self.ties,
            self.transform,
        )
        ranked = database.rank(self.block_rows, cpu_workers(self.device), progress)
        query_row = order.to(ranked.query.device)[ranked.query]
        by_query = query_row.argsort(stable=True)
        return RankedPositives(query_row[by_query], ranked.row[by_query], ranked.before[by_query])

    def _embed(self, rows: Tensor, name: str) -> Embeddings:
        return embed_transformed(rows.to(self.device), self.transform, name)
