"""What a protocol gives, in the form that a record holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lowlabel.results import MethodInfo, Score
from lowlabel.retrieval import RetrievalResult
from lowlabel.retrieval.post import Post
from lowlabel.retrieval.search import Index


@dataclass(frozen=True)
class Outcome:
    """Scores, and those of each task or query beside them."""

    scores: dict[str, Score]
    per_item: Mapping[str, NDArray[np.float64]]
    ci95_definition: str
    counts: dict[str, int]
    task_hash: str | None = None


def retrieval_outcome(result: RetrievalResult, **counts: int) -> Outcome:
    """The outcome of any retrieval protocol, with further `counts` of what was scored."""
    return Outcome(
        {name: Score(mean, result.ci95[name]) for name, mean in result.metrics.items()},
        result.per_query,
        result.ci95_definition,
        {"queries": result.queries, "lone": result.lone, **counts},
    )


def similarity(posts: Sequence[Post], index: Index | None = None) -> MethodInfo:
    """Cosine, or what takes its place: rows of a table that never mix."""
    steps: list[Post | Index] = [*posts, *([index] if index else [])]
    options: dict[str, object] = {step.spec: step.options for step in steps}
    transductive = any(post.transductive for post in posts)
    return MethodInfo("+".join(["cosine", *(step.spec for step in steps)]), options, transductive)
