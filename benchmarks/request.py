"""What was asked for on the command line, in one value."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from lowlabel.benchmarks.suite import (
    FewShotProtocol,
    KNNProtocol,
    Protocol,
    RetrievalProtocol,
    SearchProtocol,
    Suite,
    load_suite,
)
from lowlabel.errors import InputError
from lowlabel.features import Backbone, ExtractionOptions, Framing, load_backbone

P = TypeVar("P", bound=FewShotProtocol | KNNProtocol | RetrievalProtocol | SearchProtocol)
S = TypeVar("S", bound=SearchProtocol)

_OF_PROTOCOLS = ("pooling", "resolution", "framing", "scales")


@dataclass(frozen=True)
class BackboneOptions:
    """How models are loaded; see `lowlabel.features.load_backbone`."""

    pooling: str | None = None
    resolution: int | None = None
    framing: Framing | None = None
    scales: tuple[float, ...] | None = None
    dtype: str = "float32"
    device: str = "auto"

    def for_protocol(self, protocol: Protocol) -> "BackboneOptions":
        """With what the protocol says where nothing was asked for."""
        own = protocol if isinstance(protocol, SearchProtocol) else SearchProtocol(())
        names = [name for name in _OF_PROTOCOLS if getattr(self, name) is None]
        return dataclasses.replace(self, **{name: getattr(own, name) for name in names})

    def load(self, model: str) -> Backbone:
        """Loads a model so."""
        chosen = {name: value for name, value in vars(self).items() if value is not None}
        return load_backbone(model, **chosen)


@dataclass(frozen=True)
class Request:
    """A run as it was asked for.

    Attributes:
        suite: Name of the suite.
        models: Model specs; empty for the suite's own.
        labels: Names in tables, one per model, or empty.
        datasets: Data set specs; empty for the suite's own.
        methods: Few-shot method specs; empty for the suite's own.
        distractors: A data set whose images join the galleries; the suite's own by default.
        features: A file of embeddings made elsewhere, in place of models and data sets.
        overrides: Fields of the few-shot protocol to change: ways, shots, queries,
            query_distribution, tasks, seed, interval.
        tune: Choose the hyper-parameters that few-shot methods declare on the validation part.
        ks: The K of Recall@K; empty for the suite's own.
        posts: Post-processing of retrieval, in order; empty for the suite's own.
        search: Where retrieval searches; None for the suite's own.
        nmi: Whether retrieval scores k-means clusters, too, if the suite does not anyway.
        train_features: A file of embeddings that post-processing learns from, in place of the data
            set's own part.
        backbone: How models are loaded.
        extraction: How features are extracted.
        allow_partial: Accept data sets of other counts than the full ones.
        overwrite: Score again what has a record.
        output: Folder of records and leaderboards.
    """

    suite: str
    output: Path
    models: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    distractors: str | None = None
    features: Path | None = None
    overrides: dict[str, Any] = field(default_factory=dict)
    tune: bool = False
    ks: tuple[int, ...] = ()
    posts: tuple[str, ...] = ()
    search: str | None = None
    nmi: bool = False
    train_features: Path | None = None
    backbone: BackboneOptions = field(default_factory=BackboneOptions)
    extraction: ExtractionOptions = field(default_factory=ExtractionOptions)
    allow_partial: bool = False
    overwrite: bool = False

    def __post_init__(self) -> None:
        embedders = 1 if self.features else len(self.named_models)
        if self.labels and len(self.labels) != embedders:
            raise InputError(
                f"{len(self.labels)} labels for {embedders} models",
                "Give --label once for every --model, in the same order, or not at all.",
            )
        if self.features and (self.models or self.datasets):
            raise InputError(
                "--features brings its own embeddings, so --model and --dataset do not go with it",
                "Leave them out, or leave --features out.",
            )

    @property
    def named_models(self) -> tuple[str, ...]:
        """The models asked for, or those of the suite."""
        return self.models or load_suite(self.suite).models

    def label(self, model: int = 0) -> str | None:
        """The name in tables that was given for the model of that place."""
        return self.labels[model] if self.labels else None

    def resolved_suite(self) -> Suite:
        """The suite with what the request changes of it."""
        suite = load_suite(self.suite)
        return dataclasses.replace(
            suite,
            models=self.named_models,
            fewshot=suite.fewshot and self._fewshot(suite.fewshot),
            knn=suite.knn and _asked(suite.knn, datasets=self.datasets),
            retrieval=suite.retrieval and self._retrieval(suite.retrieval),
            revisited=suite.revisited and self._search(suite.revisited),
            copies=suite.copies and self._search(suite.copies),
        )

    def _search(self, protocol: S) -> S:
        return _asked(
            protocol, datasets=self.datasets, distractors=self.distractors, posts=self.posts
        )

    def _fewshot(self, protocol: FewShotProtocol) -> FewShotProtocol:
        changes = dict(self.overrides)
        if "shots" in changes:
            changes["shots"] = (changes["shots"],)
        chosen = _asked(protocol, datasets=self.datasets, methods=self.methods)
        return dataclasses.replace(chosen, **changes)

    def _retrieval(self, protocol: RetrievalProtocol) -> RetrievalProtocol:
        return _asked(
            protocol,
            datasets=self.datasets,
            ks=self.ks,
            posts=self.posts,
            search=self.search,
            nmi=self.nmi,
        )


def _asked(protocol: P, **wishes: Any) -> P:
    """The protocol with those wishes that are any; the others leave its own."""
    return dataclasses.replace(protocol, **{name: wish for name, wish in wishes.items() if wish})
