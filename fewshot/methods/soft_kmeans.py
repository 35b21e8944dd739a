"""Soft k-means from the class means."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from torch import Tensor

from lowlabel.fewshot.base_statistics import BaseStatistics
from lowlabel.fewshot.methods.base import Scorer, Seeds
from lowlabel.fewshot.methods.normalized import Normalized
from lowlabel.fewshot.prototypes import nearness, soft_means
from lowlabel.fewshot.support import Support


@dataclass(frozen=True)
class SoftKMeans(Normalized):
    """Prototypes refined by soft k-means over support and queries.

    Mengye Ren, Eleni Triantafillou, Sachin Ravi, Jake Snell, Kevin Swersky, Joshua B. Tenenbaum,
    Hugo Larochelle, Richard S. Zemel. Meta-Learning for Semi-Supervised Few-Shot Classification.
    ICLR 2018. arXiv:1803.00676

    Support images keep their class; a query is assigned to the classes by
    softmax(-scale · squared distance). Defaults follow EASY (Yassir Bendou et al. 2022.
    arXiv:2201.09699).

    Attributes:
        norm: See `Normalized`.
        scale: Inverse temperature of the assignments.
        iterations: Number of prototype updates.
    """

    name: ClassVar[str] = "soft-kmeans"
    rotation_invariant: ClassVar[bool] = True
    iterated: ClassVar[bool] = True
    transductive: ClassVar[bool] = True

    norm: str = "cl2n"
    scale: float = 5.0
    iterations: int = 30

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_positive("scale")
        self.require_positive("iterations")

    def fit(self, support: Support, base: BaseStatistics | None, seeds: Seeds) -> Scorer:
        """Scores all queries of a task together."""
        return partial(self._scores, support)

    def _scores(self, support: Support, query: Tensor) -> Tensor:
        """Half the squared distance to the first prototype minus half of that to each."""
        prototypes = support.means()
        for _ in range(self.iterations):
            assigned = (2 * self.scale * nearness(query, prototypes)).softmax(1)
            prototypes = soft_means(support, query, assigned)
        return nearness(query, prototypes).transpose(1, 2)
