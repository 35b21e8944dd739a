"""Few-shot classification of an evaluated part."""

from lowlabel.benchmarks.outcome import Outcome
from lowlabel.benchmarks.subject import VALIDATION, Subject
from lowlabel.benchmarks.suite import FewShotProtocol
from lowlabel.benchmarks.tuning import Choice
from lowlabel.fewshot import Method, evaluate_fewshot
from lowlabel.progress import progress_bar
from lowlabel.results import Experiment, MethodInfo, ProtocolInfo, Score

VERSION = 1


def fewshot_experiment(
    subject: Subject, protocol: FewShotProtocol, shots: int, choice: Choice
) -> Experiment:
    """What determines the score."""
    method = choice.method
    options: dict[str, object] = {
        "ways": protocol.ways,
        "shots": shots,
        "queries": protocol.queries,
        "query_distribution": protocol.query_distribution,
        "tasks": protocol.tasks,
        "seed": protocol.seed,
    }
    name = f"{protocol.ways}-way {shots}-shot"
    if protocol.query_distribution != "balanced":
        name += f", {protocol.query_distribution.capitalize()} queries"
    if protocol.interval != "normal":  # which is as old as the records
        options["interval"] = protocol.interval
    how = {"tuned": choice.how} if choice.how else {}
    return Experiment(
        suite="fewshot",
        protocol=ProtocolInfo(name, VERSION, options),
        model=subject.model,
        dataset=subject.dataset,
        method=MethodInfo(method.spec, {**method.options, **how}, method.transductive),
        feature_keys={
            part: key for part, key in subject.keys.items() if _uses(part, subject, method)
        },
    )


def run_fewshot(
    subject: Subject, protocol: FewShotProtocol, shots: int, method: Method, device: str
) -> Outcome:
    """Scores a method on the suite's tasks."""
    base = subject.base if method.needs_base else None
    title = f"{method.spec} {shots}-shot on {subject.dataset.title}"
    with progress_bar(title, "task") as progress:
        result = evaluate_fewshot(
            subject.evaluated.features,
            subject.evaluated.labels,
            base=(base.features, base.labels) if base else None,
            method=method.spec,
            ways=protocol.ways,
            shots=shots,
            queries=protocol.queries,
            query_distribution=protocol.query_distribution,
            tasks=protocol.tasks,
            seed=protocol.seed,
            interval=protocol.interval,
            device=device,
            progress=progress,
        )
    return Outcome(
        {"accuracy": Score(result.mean, result.ci95)},
        {"accuracy": result.accuracies},
        result.ci95_definition,
        {"tasks": result.tasks},
        result.task_hash,
    )


def _uses(part: str, subject: Subject, method: Method) -> bool:
    return part == subject.dataset.split or (method.needs_base and part != VALIDATION)
