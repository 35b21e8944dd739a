"""Few-shot methods on more labelled images than are copied: what they learn is read by blocks."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from lowlabel.classification.budget.draws import IntArray
from lowlabel.classification.budget.learner import Tables
from lowlabel.classification.logistic.path import fit_path
from lowlabel.classification.rows import Rows
from lowlabel.fewshot import Method
from lowlabel.fewshot.decisions import explained
from lowlabel.fewshot.many_queries import apply_blocks, score_blocks
from lowlabel.fewshot.methods.base import Scorer
from lowlabel.fewshot.methods.logreg import LogisticRegression
from lowlabel.fewshot.moments import Moments
from lowlabel.fewshot.preparation.prepared import Preparation, Prepared
from lowlabel.fewshot.solvers.cholesky import NotSolvedError
from lowlabel.lazy_rows import LazyRows

_BLOCK_ROWS = 8192


def goes_by_blocks(method: Method) -> bool:
    """Whether a method can learn from images that are read by blocks."""
    return method.learns_from != "images" or isinstance(method, LogisticRegression)


@dataclass(frozen=True, eq=False)
class LargeTask:
    """One method on the draws of a budget.

    Attributes:
        method: The method.
        tables: The embeddings.
        preparation: What is done to features.
        prepared: Transformed features of the test images.
    """

    method: Method
    tables: Tables
    preparation: Preparation
    prepared: Prepared

    @classmethod
    def of(
        cls, method: Method, tables: Tables, used: IntArray, device: torch.device
    ) -> "LargeTask":
        """Prepares features, by the rows that are used and the test images."""
        drawn = Rows(tables.train, torch.from_numpy(used).to(tables.train.device))

        def blocks() -> Iterator[Tensor]:
            for part in (drawn, Rows(tables.test)):
                yield from (rows for _, rows in part.blocks(_BLOCK_ROWS))

        base = tables.base if method.needs_base else None
        preparation = Preparation.of(method, blocks, base, device)
        test = Prepared(preparation(tables.test), preparation.base)
        return cls(method, tables, preparation, test)

    def scores(self, rows: IntArray, sizes: tuple[int, ...]) -> Iterator[Tensor]:
        """Scores of the next test images, [q, ways], learned from one draw.

        Args:
            rows: Rows of the train table, class after class.
            sizes: Number of images of each class.
        """
        places = torch.from_numpy(rows).to(self.tables.train.device)
        classes = torch.arange(len(sizes), device=places.device)
        targets = classes.repeat_interleave(torch.tensor(sizes, device=places.device))
        query = self.prepared.features[:]
        learned = Rows(LazyRows(self.tables.train, self.preparation, query.dtype), places)
        moments = Moments(
            lambda: ((block, targets[part]) for part, block in learned.blocks(_BLOCK_ROWS)),
            sizes,
            query,
        )
        if self.method.learns_from == "means":
            prototypes = moments.prototypes()
            yield from score_blocks(self.method, self.prepared, prototypes, query, (0, 0))
            return
        with explained(self.method, self.prepared):
            fitted = self._fitted(learned, targets, moments)
        yield from apply_blocks(
            self.method, self.prepared, fitted, query, len(sizes), moments.means
        )

    def _fitted(self, learned: Rows, targets: Tensor, moments: Moments) -> Scorer:
        if not isinstance(self.method, LogisticRegression):
            return self.method.fit_moments(moments)
        (fit,) = fit_path(learned, targets, len(moments.sizes), (self.method.c,))
        if not fit.converged:
            raise NotSolvedError(f"no minimum was found in {fit.steps} Newton steps")
        return lambda query: fit.logits(query[0]).to(query.dtype)[None]
