"""What learns from the labels of a budget: few-shot methods, k-NN, and later classifiers."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lowlabel.arrays import Features, Labels
from lowlabel.classification.budget.draws import Draws
from lowlabel.classification.knn import evaluate_knn
from lowlabel.classification.metrics import decision_values, top_hits
from lowlabel.errors import InputError, UnknownNameError
from lowlabel.fewshot import METHODS, Method
from lowlabel.fewshot.many_queries import score_blocks
from lowlabel.fewshot.prepared import prepare
from lowlabel.fewshot.support import Support
from lowlabel.registry import Registry
from lowlabel.specs import Configurable, Option, parse_spec, require_text

MOST_BYTES = 2 * 2**30
METRICS = ("top1", "top5", "balanced_accuracy", "macro_f1")
Values = dict[str, NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Tables:
    """The arrays of a label budget.

    Attributes:
        train: Train embeddings, [N, D].
        classes: Class of each train image, 0 … C-1, [N].
        test: Test embeddings, [M, D].
        targets: Class of each test image, int64 [M]; negative for classes without train images.
        base: Features and labels of base classes; None if there are none.
        seed: Random seed of methods that draw random numbers.
    """

    train: Tensor
    classes: NDArray[np.int64]
    test: Tensor
    targets: NDArray[np.int64]
    base: tuple[Features, Labels] | None
    seed: int

    def learned(self, rows: NDArray[np.int64]) -> Tensor:
        """The train embeddings of some rows."""
        return self.train.index_select(0, torch.from_numpy(rows).to(self.train.device))


@dataclass(frozen=True)
class Learner(Configurable, ABC):
    """A classifier that learns from a draw. Its dataclass fields are its options."""

    @property
    def transductive(self) -> bool:
        """Whether test images are classified together."""
        return False

    @property
    def needs_base(self) -> bool:
        """Whether it uses base classes."""
        return False

    @property
    def needs_non_negative(self) -> bool:
        """Whether it needs features of at least 0."""
        return False

    def reason_against(self, tables: Tables, draws: Draws) -> str:
        """Why it cannot learn from the draws of a budget; empty if it can."""
        return ""

    def replaced(self, draws: Draws) -> Mapping[str, int]:
        """Options that the draws do not allow, with what takes their place."""
        return {}

    @abstractmethod
    def values(self, tables: Tables, draws: Draws, device: torch.device) -> Iterator[Values]:
        """Yields, for each draw, a value of each test image for each of `METRICS`, in percent."""


@dataclass(frozen=True)
class FewShotLearner(Learner):
    """A few-shot method, whose task has all classes and every test image as a query."""

    name: ClassVar[str] = "few-shot"
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
        """Base classes that are missing, or too little memory."""
        if self.needs_base and tables.base is None:
            return "it needs base classes, and there are none"
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
            predicted, hits = [], []
            blocks = score_blocks(self.method, prepared, support, query, (tables.seed, number))
            for scores in blocks:
                truth = targets[sum(map(len, hits)) :][: len(scores)]
                predicted.append(scores.argmax(1))
                hits.append(top_hits(scores, truth, predicted[-1]))
            yield decision_values(torch.cat(predicted), targets, torch.cat(hits))


@dataclass(frozen=True)
class Neighbours(Learner):
    """Weighted k-NN, as `evaluate_knn`, with at most as many neighbours as a class has labels.

    Attributes:
        k: Number of neighbours; the labels of the largest class where they are fewer.
        temperature: Temperature of the votes.
    """

    name: ClassVar[str] = "knn"

    k: int = 20
    temperature: float = 0.07

    def __post_init__(self) -> None:
        self.require_positive("k")
        self.require_positive("temperature")

    def replaced(self, draws: Draws) -> Mapping[str, int]:
        """The number of neighbours, where it is smaller."""
        most = max(draws.sizes)
        return {"neighbours": most} if most < self.k else {}

    def values(self, tables: Tables, draws: Draws, device: torch.device) -> Iterator[Values]:
        """Every labelled image may vote."""
        k = self.replaced(draws).get("neighbours", self.k)
        for rows in draws.rows:
            result = evaluate_knn(
                tables.learned(rows),
                tables.classes[rows],
                tables.test,
                tables.targets,
                k=k,
                temperature=self.temperature,
                all_metrics=True,
                device=device,
            )
            yield {name: result.values[k][name] for name in METRICS}


LEARNERS: Registry[type[Learner]] = Registry("classifier")
LEARNERS.add(Neighbours.name, Neighbours)


def build_learner(learner: str | Learner | Method) -> Learner:
    """Builds a classifier from its spec: that of a few-shot method, or of one of `LEARNERS`.

    A built one is returned as it is.

    Raises:
        UnknownNameError: If there is no such method.
        InputError: If it has no such option, or the option cannot have the value.
    """
    if isinstance(learner, Learner):
        return learner
    if isinstance(learner, Method):
        return FewShotLearner(learner)
    require_text("method", learner)
    name, options = parse_spec(learner)
    if name in LEARNERS:
        return LEARNERS[name].from_options(options)
    if name not in METHODS:
        raise UnknownNameError("method", name, [*LEARNERS, *METHODS])
    return FewShotLearner(METHODS[name].from_options(options))


def build_learners(
    methods: str | Learner | Method | Sequence[str | Learner | Method],
) -> tuple[Learner, ...]:
    """Builds classifiers; one alone need not be in a list.

    Raises:
        InputError: If there is none, one is given twice, or `build_learner` refuses one.
        UnknownNameError: If there is no such method.
    """
    items = [methods] if isinstance(methods, str | Learner | Method) else methods
    built = tuple(map(build_learner, items))
    specs = [each.spec for each in built]
    if not built or len(set(specs)) < len(specs):
        raise InputError(f"methods={specs} must be one or more different methods")
    return built
