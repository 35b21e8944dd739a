"""Few-shot methods on one task of all classes and all test images."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from lowlabel.classification.budget.by_blocks import LargeTask, goes_by_blocks
from lowlabel.classification.budget.draw_state import DrawState
from lowlabel.classification.budget.draws import Draws
from lowlabel.classification.budget.learner import Learner, Tables, Values
from lowlabel.classification.metrics import decision_values, top_hits
from lowlabel.fewshot import Method
from lowlabel.fewshot.many_queries import score_blocks
from lowlabel.fewshot.preparation.prepared import prepare
from lowlabel.fewshot.support import Support
from lowlabel.specs import Option

MOST_BYTES = 2 * 2**30
_MOST_COPIED = 2**30  # copies and what a method takes beside them


@dataclass(frozen=True)
class FewShotLearner(Learner):
    """A few-shot method, whose task has all classes and every test image as a query."""

    name: ClassVar[str] = ""  # that of the method
    method: Method

    @property
    def spec(self) -> str:
        """That of the method."""
        return self.method.spec

    @property
    def options(self) -> dict[str, Option]:
        """Those of the method."""
        return self.method.options

    @property
    def arithmetic(self) -> int:
        """That of the method."""
        return self.method.arithmetic

    @property
    def iterated(self) -> bool:
        """As the method."""
        return self.method.iterated

    @property
    def transductive(self) -> bool:
        """As the method."""
        return self.method.transductive

    @property
    def needs_base(self) -> bool:
        """As the method."""
        return self.method.needs_base

    @property
    def needs_non_negative(self) -> bool:
        """As the method."""
        return self.method.needs_non_negative

    def reason_against(self, tables: Tables, draws: Draws) -> str:
        """Too little memory."""
        if self._goes_by_blocks(tables, draws):
            return ""
        needed = self._working_bytes(tables, draws)
        if needed <= MOST_BYTES:
            return ""
        return (
            f"it takes about {needed / 2**30:,.1f} GiB on {draws.labelled:,} labelled images of "
            f"{len(draws.sizes):,} classes, more than {MOST_BYTES / 2**30:g}"
        )

    def values(
        self, tables: Tables, draws: Draws, device: torch.device, state: DrawState
    ) -> Iterator[Values]:
        """Scores the test images in blocks.

        The scale of features is chosen from the drawn rows and the test images, no others.
        """
        targets = torch.from_numpy(tables.targets).to(device)
        for blocks in self.scores(tables, draws, device, state):
            predicted: list[Tensor] = []
            hits: list[Tensor] = []
            done = 0
            for scores in blocks:
                truth = targets[done : done + len(scores)]
                predicted.append(scores.argmax(1))
                hits.append(top_hits(scores, truth, predicted[-1]))
                done += len(scores)
            yield decision_values(torch.cat(predicted), targets, torch.cat(hits))

    def scores(
        self, tables: Tables, draws: Draws, device: torch.device, state: DrawState | None = None
    ) -> Iterator[Iterator[Tensor]]:
        """Yields, for each draw, the scores of the next test images, [q, C]; the largest wins."""
        by_blocks = self._goes_by_blocks(tables, draws)
        left = state or DrawState()
        return (self._read if by_blocks else self._copied)(tables, draws, device, left)

    def _copied(
        self, tables: Tables, draws: Draws, device: torch.device, state: DrawState
    ) -> Iterator[Iterator[Tensor]]:
        """Yields the scores of the test images for each draw, in blocks."""
        used, images = draws.used, len(tables.test)
        rows = torch.from_numpy(used).to(tables.train.device)
        features = torch.cat([tables.train.index_select(0, rows), tables.test])
        base = tables.base if self.needs_base else None
        prepared = prepare(self.method, features, base, device)
        del features
        query = prepared.features[-images:]
        for number, drawn in state.left(draws):
            places = torch.from_numpy(np.searchsorted(used, drawn)).to(device)
            support = Support(prepared.features.index_select(0, places)[None], draws.sizes)
            yield score_blocks(self.method, prepared, support, query, (tables.seed, number))

    def _read(
        self, tables: Tables, draws: Draws, device: torch.device, state: DrawState
    ) -> Iterator[Iterator[Tensor]]:
        """As `_copied`, for more images than are copied."""
        task = LargeTask.of(self.method, tables, draws.used, device)
        for _, drawn in state.left(draws):
            yield task.scores(drawn, draws.sizes)

    def _goes_by_blocks(self, tables: Tables, draws: Draws) -> bool:
        """Whether the images are read by blocks: they are many, and the method allows it."""
        needed = self._working_bytes(tables, draws) + _copies(tables, draws)
        many = draws.labelled > tables.train.shape[1] and needed > _MOST_COPIED
        return many and goes_by_blocks(self.method)

    def _working_bytes(self, tables: Tables, draws: Draws) -> int:
        images, width = tables.test.shape
        return self.method.working_bytes(len(draws.sizes), draws.labelled, images, width)


def _copies(tables: Tables, draws: Draws) -> int:
    """Bytes of the copies of features: those used, thrice with the test images, and a support."""
    images, width = tables.test.shape
    used = min(len(tables.train), draws.labelled * len(draws.rows))
    return 4 * width * (3 * (used + images) + draws.labelled)
