"""All cells."""

from collections.abc import Iterator
from typing import Protocol

from lowlabel.benchmarks.coverage.classification import KNNCell, LabelBudgetCell
from lowlabel.benchmarks.coverage.fewshot import FewShotCell
from lowlabel.benchmarks.coverage.outcomes import Outcome
from lowlabel.benchmarks.coverage.retrieval import RetrievalCell


class Cell(Protocol):
    """A protocol at one size."""

    @property
    def name(self) -> str:
        """The name in the table."""
        ...

    def outcomes(self, seed: int) -> Iterator[Outcome]:
        """Every interval in the world of a seed."""
        ...


CELLS: tuple[Cell, ...] = (
    *(FewShotCell(20, 60, shots) for shots in (1, 5)),
    *(FewShotCell(20, 60, shots, same_size=False) for shots in (1, 5)),
    *(FewShotCell(100, 20, shots) for shots in (1, 5)),
    *(FewShotCell(100, 20, shots, same_size=False, queries=5) for shots in (1, 5)),
    RetrievalCell(30, 12),
    RetrievalCell(60, 10),
    RetrievalCell(30, 12, same_size=False),
    KNNCell(20, 20),
    KNNCell(20, 20, grouped=True),
    LabelBudgetCell(20, 20, 5),
)
