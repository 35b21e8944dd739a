"""Few-shot methods on one task of all classes and all test images."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from lowlabel.classification.budget.draws import Draws
from lowlabel.classification.budget.learner import Learner, Tables, Values
from lowlabel.classification.metrics import decision_values, top_hits
from lowlabel.fewshot import Method
from lowlabel.fewshot.many_queries import score_blocks
from lowlabel.fewshot.prepared import prepare
from lowlabel.fewshot.support import Support
from lowlabel.specs import Option

MOST_BYTES = 2 * 2**30


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
        images, width = tables.test.shape
        needed = self.method.working_bytes(len(draws.sizes), draws.labelled, images, width)
        if needed <= MOST_BYTES:
            return ""
        return (
            f"it takes about {needed / 2**30:,.1f} GiB on {draws.labelled:,} labelled images of "
            f"{len(draws.sizes):,} classes, more than {MOST_BYTES / 2**30:g}"
        )

    def values(self, tables: Tables, draws: Draws, device: torch.device) -> Iterator[Values]:
        """Scores the test images in blocks.

        The scale of features is chosen from the drawn rows and the test images, no others.
        """
        used, images = draws.used, len(tables.test)
        features = torch.cat([tables.learned(used), tables.test])
        base = tables.base if self.needs_base else None
        prepared = prepare(self.method, features, base, device)
        del features
        query, targets = prepared.features[-images:], torch.from_numpy(tables.targets).to(device)
        for number, rows in enumerate(draws.rows):
            places = torch.from_numpy(np.searchsorted(used, rows)).to(device)
            support = Support(prepared.features.index_select(0, places)[None], draws.sizes)
            predicted: list[Tensor] = []
            hits: list[Tensor] = []
            done = 0
            blocks = score_blocks(self.method, prepared, support, query, (tables.seed, number))
            for scores in blocks:
                truth = targets[done : done + len(scores)]
                predicted.append(scores.argmax(1))
                hits.append(top_hits(scores, truth, predicted[-1]))
                done += len(scores)
            yield decision_values(torch.cat(predicted), targets, torch.cat(hits))
