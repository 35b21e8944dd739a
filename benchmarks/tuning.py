"""Hyper-parameters chosen on the validation part, never on the classes that are scored."""

from dataclasses import dataclass

from lowlabel.benchmarks.suite import FewShotProtocol
from lowlabel.errors import InputError
from lowlabel.features import EmbeddingTable
from lowlabel.fewshot import Method, evaluate_fewshot
from lowlabel.progress import progress_bar

TUNING_TASKS = 500


@dataclass(frozen=True)
class Choice:
    """A method with chosen options.

    Attributes:
        method: The method that was best on the validation part.
        how: What a record says of the choice; empty where there was nothing to choose.
    """

    method: Method
    how: str = ""


def choose(
    method: Method,
    validation: EmbeddingTable | None,
    base: EmbeddingTable | None,
    protocol: FewShotProtocol,
    shots: int,
    device: str,
) -> Choice:
    """The best of the method's grid, by mean accuracy over tasks of the validation classes.

    The tasks are of the protocol's ways, shots, queries and seed; of equal means the first is
    taken.

    Args:
        method: The method; options that differ from their defaults are not tuned.
        validation: Embeddings of the validation part.
        base: Embeddings of the base part, for methods that learn from it.
        protocol: The protocol of the scores.
        shots: Labelled images per class.
        device: Where the arithmetic runs.

    Raises:
        InputError: If there is something to choose and no validation part to choose on.
    """
    candidates = method.candidates()
    if len(candidates) == 1:
        return Choice(method)
    if validation is None:
        raise InputError(
            f"{method.spec} cannot be tuned: the data set has no validation part",
            "Leave --tune out, or take a data set with base, val and novel parts.",
        )
    tasks = min(protocol.tasks, TUNING_TASKS)
    means = []
    with progress_bar(f"tuning {method.spec} {shots}-shot", "setting") as progress:
        for place, candidate in enumerate(candidates, 1):
            result = evaluate_fewshot(
                validation.features,
                validation.labels,
                base=(base.features, base.labels) if base and candidate.needs_base else None,
                method=candidate.spec,
                ways=protocol.ways,
                shots=shots,
                queries=protocol.queries,
                query_distribution=protocol.query_distribution,
                tasks=tasks,
                seed=protocol.seed,
                device=device,
            )
            means.append(result.mean)
            progress(place, len(candidates))
    best = max(range(len(means)), key=means.__getitem__)
    tried = "; ".join(
        f"{candidate.spec} {mean:.2f}" for candidate, mean in zip(candidates, means, strict=True)
    )
    return Choice(candidates[best], f"val, {tasks} tasks of seed {protocol.seed}: {tried}")
