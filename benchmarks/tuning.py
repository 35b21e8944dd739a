"""Hyper-parameters chosen on the validation part, never on the classes that are scored."""

from dataclasses import dataclass, field
from typing import Any

from lowlabel.features import EmbeddedDataset
from lowlabel.fewshot import Method, evaluate_fewshot
from lowlabel.progress import progress_bar

TUNING_TASKS = 500


@dataclass(frozen=True)
class Choice:
    """A method with the options that were best.

    Attributes:
        method: The method.
        tried: Mean accuracy of every candidate on the validation part, by spec; empty if there was
            nothing to choose.
    """

    method: Method
    tried: dict[str, float] = field(default_factory=dict)

    def record(self) -> dict[str, object]:
        """What a record says of the choice."""
        return {"method": self.method.spec, "tried": self.tried} if self.tried else {}


def choose(
    method: Method, data: EmbeddedDataset, *, shots: int, device: str, **sampling: Any
) -> Choice:
    """Chooses the best of the method's grid, by mean accuracy over tasks of the validation classes.

    The first of equal means is taken.

    Args:
        method: The method; options that differ from their defaults are not tuned.
        data: Embeddings with a validation part, and a base part for methods that learn from it.
        shots: Labelled images per class.
        device: Device to compute on.
        sampling: How tasks are drawn: ways, queries, query_distribution, groups_apart, tasks and
            seed of `evaluate_fewshot`.
    """
    validation = data.validation
    assert validation is not None  # a plan without one is refused
    base = (data.train.features, data.train.labels) if data.train else None
    candidates = method.candidates()
    tried: dict[str, float] = {}
    with progress_bar(f"tuning {method.spec} {shots}-shot", "setting") as progress:
        for place, candidate in enumerate(candidates, 1):
            result = evaluate_fewshot(
                validation.features,
                validation.labels,
                base=base if candidate.needs_base else None,
                method=candidate,
                shots=shots,
                interval="tasks",
                groups=validation.groups,
                device=device,
                **sampling,
            )
            tried[candidate.spec] = result.mean
            progress(place, len(candidates))
    best = max(candidates, key=lambda candidate: tried[candidate.spec])
    return Choice(best, tried)
