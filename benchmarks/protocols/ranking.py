"""What the protocols of retrieval share: options, and the scores of a result."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from lowlabel.benchmarks.protocols.base import Protocol
from lowlabel.benchmarks.protocols.trial import ProtocolScores
from lowlabel.features import EmbeddedDataset, check_feature_file
from lowlabel.features.made_elsewhere.train_file import with_train_features
from lowlabel.results import MethodInfo, Score
from lowlabel.retrieval import RetrievalResult
from lowlabel.retrieval.post import PostProcessing, build_post
from lowlabel.retrieval.search import Index


@dataclass(frozen=True, kw_only=True)
class RankingProtocol(Protocol):
    """What every retrieval protocol has.

    Attributes:
        ties: How equal similarities are ordered; see `lowlabel.retrieval`.
        post: Post-processing in order, or specs such as "whiten:256", "aqe:10".
        train_features: A file of embeddings to learn whitening from.
        interval: What the 95 % confidence intervals in tables are over; records have all.
    """

    suite: ClassVar[str] = "retrieval"
    takes_ranking: ClassVar[bool] = True

    ties: Literal["pessimistic", "optimistic", "index"] = "pessimistic"
    post: tuple[PostProcessing, ...] = ()
    train_features: Path | None = None
    interval: Literal["classes", "queries", "groups"] = "classes"

    def __post_init__(self) -> None:
        object.__setattr__(self, "post", tuple(map(build_post, self.post)))
        if self.train_features is not None:
            check_feature_file(self.train_features, "--train-features")

    def prepared(self, data: EmbeddedDataset) -> EmbeddedDataset:
        """Takes the file of embeddings to learn from."""
        return with_train_features(data, self.train_features) if self.train_features else data

    def unfit_ranking(self) -> str | None:
        """Nothing is learned from lists, and they are not processed."""
        given = {"--post": self.post, "--train-features": self.train_features}
        unmet = [flag for flag, value in given.items() if value]
        return f"{', '.join(unmet)} changes embeddings, and a ranking has none" if unmet else None


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


def list_options(data: EmbeddedDataset) -> dict[str, object]:
    """What a score says of the ranked lists that it is of; empty for embeddings."""
    if data.ranking is None:
        return {}
    shortest, longest = data.ranking.lengths(leave_one_out=data.gallery is None)
    images = f"{shortest}" if shortest == longest else f"{shortest} to {longest}"
    has = "scores" if data.ranking.scores is not None else "no scores"
    return {"lists": f"{images} images, with {has}"}


def method_of(steps: Sequence[PostProcessing | Index], data: EmbeddedDataset) -> MethodInfo:
    """What orders images: the `similarity` of embeddings, or a ranking made elsewhere."""
    return similarity(steps) if data.ranking is None else MethodInfo("ranking", {})


def similarity(steps: Sequence[PostProcessing | Index]) -> MethodInfo:
    """Cosine after post-processing, and the index that searches if there is one."""
    options: dict[str, object] = {step.spec: step.options for step in steps}
    version = 1 + sum(step.arithmetic - 1 for step in steps)
    transductive = any(isinstance(step, PostProcessing) and step.transductive for step in steps)
    return MethodInfo(
        "+".join(["cosine", *(step.spec for step in steps)]), options, transductive, version
    )
