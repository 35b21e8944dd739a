"""What a protocol yields: computations, and the scores that they give."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lowlabel.intervals import Interval
from lowlabel.results import Experiment, Score


@dataclass(frozen=True)
class ProtocolScores:
    """The scores of one experiment, in the form that a record holds.

    Attributes:
        scores: By metric, in percent.
        per_item: By metric, the score of each task, query or image.
        ci95_definition: How the intervals were computed.
        counts: What was scored.
        task_hash: Hash of the sampled tasks, if tasks were sampled.
        chosen: What was chosen on validation data, with what was tried; empty if nothing was.
        intervals: Every interval that was computed, by metric and kind.
        deterministic: See `lowlabel.results.Record`.
    """

    scores: dict[str, Score]
    per_item: Mapping[str, NDArray[np.float64]]
    ci95_definition: str
    counts: dict[str, int]
    task_hash: str | None = None
    chosen: dict[str, object] = field(default_factory=dict)
    intervals: Mapping[str, Mapping[str, Interval]] = field(default_factory=dict)
    deterministic: bool = False

    def replicates(self) -> dict[str, dict[str, NDArray[np.float64]]]:
        """What intervals of paired differences are made of, by metric and kind."""
        return {
            metric: {k: each.replicates for k, each in kinds.items() if each.replicates is not None}
            for metric, kinds in self.intervals.items()
        }


@dataclass(frozen=True)
class Trial:
    """One computation that gives one or several records.

    Attributes:
        experiments: What determines each score; known before anything is computed.
        run: Computes the scores, one for each experiment.
        resume: As `run`, for long work: keeps its state in a file, and goes on from there. None if
            it cannot.
        interval: The kind of interval that the records show; empty for protocols with one kind.
    """

    experiments: tuple[Experiment, ...]
    run: Callable[[], list[ProtocolScores]]
    interval: str = ""
    resume: Callable[[Path], list[ProtocolScores]] | None = None
