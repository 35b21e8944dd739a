"""From what the caller hands in to the ranks of every query's positives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import torch
from torch import Tensor

from lowlabel.devices import resolve_device
from lowlabel.errors import InputError
from lowlabel.retrieval.inputs import as_features, check_block_size, check_name
from lowlabel.retrieval.ranking.counting import Ties
from lowlabel.retrieval.ranking.database import Database, Labelled, RankedPositives, Transform
from lowlabel.retrieval.ranking.embeddings import Embeddings
from lowlabel.retrieval.ranking.exact_ranker import Progress
from lowlabel.retrieval.ranking.sources import RowSource, as_sources, check_one_model
from lowlabel.retrieval.result import RetrievalResult

_BLOCK_VALUES = 2**22  # of features, or of similarities, in a block: 16 MB in float32


@dataclass(frozen=True)
class Search:
    """How positives are searched for; see `evaluate_revisited`."""

    distractors: RowSource | Sequence[RowSource] = ()
    ties: Ties = "pessimistic"
    transform: Transform | None = None
    block_size: int | None = None
    device: str | torch.device = "auto"
    progress: Progress | None = None

    def rank(
        self, query: Any, gallery: Any, positives: Sequence[Tensor], ignored: Sequence[Tensor]
    ) -> RankedPositives:
        """Ranks the positives of all queries that have any.

        Args:
            query: Floats [Q, D].
            gallery: Floats [G, D].
            positives: Rows in the gallery, int64 [n] for each query.
            ignored: Likewise, of what is as if it were not there.

        Raises:
            InputError: As `evaluate_revisited` says.
        """
        check_name("tie policy", self.ties, get_args(Ties))
        queries, images = as_features(query, "query"), as_features(gallery, "gallery")
        if queries.shape[1] != images.shape[1]:
            raise InputError(
                f"queries have {queries.shape[1]} dimensions, the gallery {images.shape[1]}",
                "Extract both with one model and pooling.",
            )
        sources = as_sources(self.distractors, queries.shape[1])
        named = {f"distractors[{number}]": source for number, source in enumerate(sources)}
        check_one_model({"query": query, "gallery": gallery, **named})
        number = torch.tensor([len(rows) for rows in positives])
        order = number.argsort(stable=True)[int((number == 0).sum()) :]
        if not len(order):
            raise InputError(f"none of the {len(number)} queries has an image to find")
        database = Database(
            self._embeddings(queries[order], "query"),
            self._embeddings(images, "gallery"),
            Labelled([positives[q] for q in order], [ignored[q] for q in order]),
            sources,
            self.ties,
            self.transform,
        )
        workers = torch.get_num_threads() if resolve_device(self.device).type == "cpu" else 1
        ranked = database.rank(self._block_rows(queries), workers, self.progress)
        query_row = order.to(ranked.query.device)[ranked.query]
        by_query = query_row.argsort(stable=True)
        return RankedPositives(query_row[by_query], ranked.row[by_query], ranked.before[by_query])

    def _embeddings(self, rows: Tensor, name: str) -> Embeddings:
        rows = rows.to(resolve_device(self.device))
        return Embeddings.of(self.transform(rows) if self.transform else rows, name)

    def _block_rows(self, queries: Tensor) -> int:
        if self.block_size is not None:
            return check_block_size(self.block_size)
        return max(1, _BLOCK_VALUES // max(queries.shape))


def labelled_result(
    scores: Mapping[str, Tensor], ranked: RankedPositives, queries: int, ties: Ties
) -> RetrievalResult:
    """The result of scores [Q] that are NaN for queries without a positive."""
    kept = ranked.query.unique()
    return RetrievalResult.of(
        {name: values[kept].cpu().numpy() for name, values in scores.items()},
        query_index=kept.cpu().numpy(),
        lone=queries - len(kept),
        lone_queries="exclude",
        ties=ties,
    )
