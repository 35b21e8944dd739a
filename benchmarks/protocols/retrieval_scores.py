"""Scores of a retrieval result, and the method that made it, as records hold them."""

from collections.abc import Sequence

from lowlabel.benchmarks.protocols.trial import ProtocolScores
from lowlabel.results import MethodInfo, Score
from lowlabel.retrieval import RetrievalResult
from lowlabel.retrieval.post import PostProcessing
from lowlabel.retrieval.search import Index


def retrieval_scores(
    result: RetrievalResult, steps: Sequence[PostProcessing | Index], **counts: int
) -> ProtocolScores:
    """The scores of a retrieval result, with further `counts` of what was scored.

    Only the exact search is deterministic: decompositions, iterations and indexes among the `steps`
    carry rounding further.
    """
    return ProtocolScores(
        {name: Score(mean, result.ci95[name]) for name, mean in result.metrics.items()},
        {**result.per_query, **result.per_seed},
        result.ci95_definition,
        {"queries": result.queries, "lone": result.lone, **counts},
        intervals=result.intervals,
        deterministic=not steps,
    )


def similarity(steps: Sequence[PostProcessing | Index]) -> MethodInfo:
    """Cosine after post-processing, and the index that searches if there is one."""
    options: dict[str, object] = {step.spec: step.options for step in steps}
    version = 1 + sum(step.arithmetic - 1 for step in steps)
    transductive = any(isinstance(step, PostProcessing) and step.transductive for step in steps)
    return MethodInfo(
        "+".join(["cosine", *(step.spec for step in steps)]), options, transductive, version
    )
