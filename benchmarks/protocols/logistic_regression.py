"""Logistic regression on the embeddings of the train part, with C chosen on validation images."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from lowlabel.arrays import as_integers
from lowlabel.benchmarks.protocols.label_kinds import label_kind
from lowlabel.benchmarks.protocols.supervised import Supervised
from lowlabel.benchmarks.protocols.trial import ProtocolScores, Trial
from lowlabel.classification import (
    DEFAULT_CS,
    evaluate_logistic_regression,
    evaluate_logistic_several_labels,
)
from lowlabel.classification.logistic.choice import method_spec
from lowlabel.classification.logistic.evaluate import Norm, checked_cs
from lowlabel.classification.logistic.path import MAX_ITER
from lowlabel.features import EmbeddedDataset
from lowlabel.progress import progress_bar
from lowlabel.results import MethodInfo


@dataclass(frozen=True, kw_only=True)
class LogisticRegression(Supervised):
    """Accuracy of logistic regression with scikit-learn's objective.

    Attributes:
        c: Inverse strengths of the penalty; the best on validation images is scored.
        norm: See `lowlabel.classification.evaluate_logistic_regression`.
        max_iter: Largest number of Newton steps of a fit.
        seed: Random seed of the held-out tenth.
    """

    name: ClassVar[str] = "logistic-regression"
    chooses: ClassVar[bool] = True
    several_labels: ClassVar[bool] = True

    c: tuple[float, ...] = DEFAULT_CS
    norm: Norm = "none"
    max_iter: int = MAX_ITER
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        checked_cs(self.c)
        as_integers(1, max_iter=self.max_iter)
        as_integers(0, seed=self.seed)

    def trials(self, data: EmbeddedDataset, device: str) -> Iterator[Trial]:
        """Yields one trial: all values of C are fitted in one path."""
        tuned: dict[str, object] = {"part": "val"}
        if data.validation is None:
            tuned = {"part": data.train_part, "share": 0.1, "seed": self.seed}
        options: dict[str, object] = {
            "c": sorted(self.c),
            "norm": self.norm,
            "max_iter": self.max_iter,
        }
        several = len(self.c) > 1
        spec = method_spec(self.norm, None if checked_cs(self.c) == DEFAULT_CS else self.c)
        experiment = self.experiment(
            data,
            self.protocol_name(data),
            dict(label_kind(data).options),
            MethodInfo(spec, options | ({"tuned": tuned} if several else {})),
            data.train_part,
            "val" if several and data.validation is not None else None,
            data.evaluated_part,
        )
        yield Trial((experiment,), partial(self._score, data, device), self.interval)

    def left_out(self, data: EmbeddedDataset) -> list[str]:
        """Labels that cannot be scored, where images have several."""
        return label_kind(data).left_out(data)

    def describe(self) -> str:
        """Such as "logistic regression, 12 values of C"."""
        values = f"C = {self.c[0]:g}" if len(self.c) == 1 else f"{len(self.c)} values of C"
        return f"logistic regression, {values}"

    def _score(self, data: EmbeddedDataset, device: str) -> list[ProtocolScores]:
        kind = label_kind(data)
        evaluate = kind.pick(evaluate_logistic_regression, evaluate_logistic_several_labels)
        with progress_bar(f"logistic regression on {data.title}", "fit") as progress:
            result = evaluate(
                *kind.arrays(data),
                validation=kind.validation(data),
                c=self.c,
                norm=self.norm,
                max_iter=self.max_iter,
                seed=self.seed,
                groups=data.evaluated.groups,
                interval=self.interval,
                device=device,
                progress=progress,
            )
        where = kind.held_out if data.validation is None else "val"
        return [kind.scores(result, data, chosen_on=where)]
