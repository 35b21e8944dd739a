"""A label budget: checked arrays, the draws of each budget, and scores of methods on them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from lowlabel.arrays import (
    Features,
    Labels,
    as_features,
    as_integers,
    as_labels,
    as_seed,
    refuse_rows,
    require_name,
    require_same_width,
)
from lowlabel.classification.budget.budgets import Budget, shortage
from lowlabel.classification.budget.draw_state import DrawState
from lowlabel.classification.budget.draws import Draws, drawn
from lowlabel.classification.budget.learner import Learner, Tables, Values
from lowlabel.classification.budget.result import BudgetInterval, BudgetResult
from lowlabel.classification.classes import number_classes
from lowlabel.classification.intervals import Units
from lowlabel.classification.unfinished import Unfinished
from lowlabel.devices import scoring_device
from lowlabel.errors import InputError
from lowlabel.progress import Progress
from lowlabel.scale import magnitudes

Short = Literal["error", "leave-out", "all"]


@dataclass(frozen=True, eq=False)
class BudgetTask:
    """The checked arrays and the draws of `evaluate_label_budget`.

    Attributes:
        tables: The arrays.
        draws: The draws of each budget that can be scored.
        left_out: Why a budget cannot, by its name.
        device: Device to compute on.
        units: Classes and groups of the test images, and the kind of interval that is shown.
    """

    tables: Tables
    draws: tuple[Draws, ...]
    left_out: Mapping[str, str]
    device: torch.device
    units: Units

    @classmethod
    def of(
        cls,
        train: tuple[Features, Labels],
        test: tuple[Features, Labels],
        *,
        budgets: tuple[Budget, ...],
        draws: int,
        base: tuple[Features, Labels] | None,
        lists: Mapping[str, Sequence[int]] | None,
        short: Short,
        seed: int,
        device: str | torch.device,
        groups: Labels | None = None,
        interval: BudgetInterval | None = None,
        class_names: Sequence[str] = (),
    ) -> "BudgetTask":
        """Checks arrays and options, and draws; see `evaluate_label_budget`.

        Class names, by label, are for messages.
        """
        require_name("treatment of classes that are too small", short, get_args(Short))
        (draws,), seed = as_integers(1, draws=draws), as_seed(seed)
        place = scoring_device(device)
        (learned, labels), (scored, wanted) = (
            _checked(*train, place, "train"),
            _checked(*test, place, "test"),
        )
        require_same_width({"train features": learned.shape[1], "test features": scored.shape[1]})
        found, classes, targets = number_classes(labels, wanted)
        names = [class_names[label] if class_names else label for label in found.tolist()]
        counts = np.bincount(classes)
        listed = (lists or {}).items()
        every = budgets + tuple(_listed(name, rows, classes, names) for name, rows in listed)
        lacking = {each.name: reason for each in every if (reason := shortage(each, names, counts))}
        if lacking and short == "error":
            raise InputError(
                next(iter(lacking.values())),
                f'Use budgets of at most {counts.min()}, shares such as "10%", or label all images '
                "of such classes: short='all' (--set label-budget.short=all).",
            )
        kept = tuple(each for each in every if short == "all" or each.name not in lacking)
        return cls(
            Tables(learned, classes, scored, targets, base, seed),
            tuple(drawn(kept, classes, counts, draws, seed)),
            lacking if short == "leave-out" else {},
            place,
            Units.of(wanted, groups, interval, get_args(BudgetInterval)),
        )

    def score(
        self,
        learner: Learner,
        draws: Draws,
        progress: Progress | None = None,
        unfinished: Unfinished | None = None,
    ) -> BudgetResult:
        """Scores a method on every draw of a budget.

        Args:
            learner: The method.
            draws: One of `draws`.
            progress: Called with (draws done, draws) after each.
            unfinished: Keeps the draws that are done, and has those of an interrupted process.
        """
        state = DrawState.of(unfinished, self.device)
        for values in self._values(learner, draws, state):
            state.add(values)
            if progress is not None:
                progress(state.sums.draws, len(draws.rows))
        sums = state.sums
        counts = {"short": draws.short, "unseen": int((self.tables.targets < 0).sum())}
        return BudgetResult(
            budget=draws.budget.name,
            method=learner.spec,
            by_draw=sums.by_draw,
            values=sums.values,
            squares=sums.squares,
            units=self.units,
            labelled=draws.labelled,
            classes=len(draws.sizes),
            task_hash=draws.digest,
            counts={name: n for name, n in counts.items() if n} | dict(learner.replaced(draws)),
        )

    def _values(self, learner: Learner, draws: Draws, state: DrawState) -> Iterator[Values]:
        with torch.inference_mode():
            yield from learner.values(self.tables, draws, self.device, state)


def _checked(
    features: Features, labels: Labels, device: torch.device, part: str
) -> tuple[torch.Tensor, NDArray[np.int64]]:
    rows = as_features(features, f"{part} features").to(device)
    bad = ~magnitudes(rows)[:, 0].isfinite()
    refuse_rows(bad, f"{part} features", "hold NaN or infinite values")
    return rows, as_labels(labels, len(rows), f"{part} labels")


def _listed(
    name: str, rows: Sequence[int], classes: NDArray[np.int64], names: Sequence[object]
) -> Budget:
    """The budget of a list of labelled images."""
    found = np.unique(np.asarray(rows))
    if (
        found.dtype.kind not in "iu"
        or not len(found)
        or not 0 <= found[0] <= found[-1] < len(classes)
    ):
        raise InputError(f"list {name} must hold rows of the {len(classes)} train images")
    missing = np.setdiff1d(np.arange(len(names)), classes[found])
    if len(missing):
        raise InputError(
            f"list {name} has no image of {len(missing)} of the {len(names)} train classes, such "
            f"as class {names[missing[0]]}",
            "List one image at least of every class.",
        )
    return Budget(name, rows=tuple(found.tolist()))
