"""The plan of a run as text, for `--dry-run`: nothing is loaded, made or written."""

from tabulate import tabulate

from lowlabel.benchmarks.plan import Job, Plan, division_for
from lowlabel.benchmarks.request import Request
from lowlabel.benchmarks.suite import FewShotProtocol, KNNProtocol, SearchProtocol
from lowlabel.datasets import find_dataset, open_dataset, prepared_folder
from lowlabel.features import cached_rows


def describe_plan(plan: Plan, request: Request) -> str:
    """A table of what would be scored, with counts and what of it is cached.

    "cached" means that the store has features of this data set's evaluated part from some model;
    the weights' hash, which decides, is known only once they are loaded.

    Raises:
        DataError: If a data set's counts are not the full set's and that was not allowed.
    """
    lines = [f"suite {plan.suite.name}: {plan.suite.title}", f"records in {request.output}", ""]
    if request.features:
        lines.append(f"embeddings from {request.features}")
    else:
        lines.append(tabulate(_rows(plan, request), headers="keys", tablefmt="simple"))
    lines += [f"left out: {note}" for note in plan.skipped]
    return "\n".join(lines)


def _rows(plan: Plan, request: Request) -> list[dict[str, str]]:
    return [
        {"model": model, "data set": job.dataset, "protocol": _protocol(job)} | facts
        for job in plan.jobs
        for facts in [_facts(job, request)]
        for model in plan.suite.models
    ]


def _protocol(job: Job) -> str:
    protocol = job.protocol
    if isinstance(protocol, FewShotProtocol):
        shots = "/".join(map(str, protocol.shots))
        return (
            f"{protocol.ways}-way {shots}-shot × {protocol.tasks:,} tasks "
            f"× {len(protocol.methods)} methods"
        )
    if isinstance(protocol, KNNProtocol):
        return f"k-NN, k = {protocol.k}, half of each class"
    if isinstance(protocol, SearchProtocol):
        kind = type(protocol).__name__.removesuffix("Protocol").lower()
        return f"{kind}, distractors: {protocol.distractors or 'none'}"
    steps = [*protocol.posts, *([protocol.search] if protocol.search != "exact" else [])]
    steps += ["NMI"] if protocol.nmi else []
    return ", ".join(["retrieval", *steps, f"K = {', '.join(map(str, protocol.ks))}"])


def _facts(job: Job, request: Request) -> dict[str, str]:
    dataset, _ = find_dataset(job.dataset)
    division = division_for(job.dataset, job.suite)
    if dataset.make and not prepared_folder(dataset).is_dir():
        return {"images": f"{division.expected[division.evaluated]}, made first", "cached": "0"}
    opened = open_dataset(job.dataset, division, allow_partial=request.allow_partial)
    counts = division.counts(opened.load(division.evaluated))
    return {"images": str(counts), "cached": f"{cached_rows(opened.name, division.evaluated):,}"}
