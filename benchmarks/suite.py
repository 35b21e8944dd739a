"""Suites: which data sets, methods and protocols belong together, as TOML."""

import dataclasses
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal

from lowlabel.errors import UnknownNameError
from lowlabel.features import Framing

DEFAULT_KS = (1, 2, 4, 8)  # of embeddings made elsewhere


@dataclass(frozen=True)
class FewShotProtocol:
    """What a suite runs of few-shot classification.

    Attributes:
        datasets: Names, as on the command line.
        methods: Method specs.
        ways: Classes in a task.
        shots: Labelled images per class; one protocol each.
        queries: Query images per class, on average.
        tasks: Number of tasks.
        seed: Of the tasks: equal seeds are equal tasks for every model and method.
        query_distribution: "balanced" or "dirichlet"; see `lowlabel.fewshot.evaluate_fewshot`.
        interval: Which 95 % confidence interval; see `lowlabel.fewshot.confidence_interval`.
    """

    datasets: tuple[str, ...]
    methods: tuple[str, ...]
    ways: int
    shots: tuple[int, ...]
    queries: int
    tasks: int
    seed: int = 0
    query_distribution: str = "balanced"
    interval: str = "normal"


@dataclass(frozen=True)
class RetrievalProtocol:
    """What a suite runs of retrieval.

    Attributes:
        datasets: Names, as on the command line.
        ks: The K of Recall@K; empty for those usual on the data set.
        ties: How equal similarities are ordered; see `lowlabel.retrieval`.
        lone_queries: What becomes of a query without a positive.
        posts: Post-processing in order, as "whiten:256", "aqe:10".
        search: "exact", or an index.
        nmi: Whether k-means clusters are scored too.
    """

    datasets: tuple[str, ...]
    ks: tuple[int, ...] = ()
    ties: Literal["pessimistic", "optimistic", "index"] = "pessimistic"
    lone_queries: Literal["exclude", "miss"] = "exclude"
    posts: tuple[str, ...] = ()
    search: str = "exact"
    nmi: bool = False


@dataclass(frozen=True)
class KNNProtocol:
    """What a suite runs of k-NN classification, within the part that few-shot tasks come from.

    Attributes:
        datasets: Names, as on the command line.
        k: Number of neighbours; all voters where there are fewer.
        temperature: See `lowlabel.classification.evaluate_knn`.
    """

    datasets: tuple[str, ...]
    k: int = 20
    temperature: float = 0.07


@dataclass(frozen=True)
class SearchProtocol:
    """What a suite runs of queries against a gallery of other images.

    Attributes:
        datasets: Names, as on the command line.
        framing: How images come into a model's input; see `lowlabel.features.load_backbone`. This
            and what follows hold where the command line says nothing.
        resolution: Side of the images in pixels; the model's own by default.
        scales: Factors at which images are seen.
        pooling: From tokens to a vector; the model's own by default.
        distractors: A data set whose images join the gallery.
        ties: How equal similarities are ordered; see `lowlabel.retrieval`.
        posts: Post-processing: at most one "whiten", with options.
    """

    datasets: tuple[str, ...]
    framing: Framing = "crop"
    resolution: int | None = None
    scales: tuple[float, ...] = (1.0,)
    pooling: str | None = None
    distractors: str | None = None
    ties: Literal["pessimistic", "optimistic", "index"] = "pessimistic"
    posts: tuple[str, ...] = ()


@dataclass(frozen=True)
class RevisitedProtocol(SearchProtocol):
    """Landmark retrieval as easy, medium and hard.

    Attributes:
        ks: The k of mP@k.
    """

    ks: tuple[int, ...] = (1, 5, 10)


@dataclass(frozen=True)
class CopiesProtocol(SearchProtocol):
    """Copy detection.

    Attributes:
        top: Originals at later ranks are not found.
    """

    top: int = 20


@dataclass(frozen=True)
class Suite:
    """A named collection of protocols.

    Attributes:
        name: The name on the command line.
        title: What it is.
        models: What it runs when no model is named.
        fewshot: Its few-shot part.
        knn: Its k-NN part.
        retrieval: Its class-level retrieval part.
        revisited: Its landmark retrieval part.
        copies: Its copy detection part.
    """

    name: str
    title: str
    models: tuple[str, ...] = ()
    fewshot: FewShotProtocol | None = None
    knn: KNNProtocol | None = None
    retrieval: RetrievalProtocol | None = None
    revisited: RevisitedProtocol | None = None
    copies: CopiesProtocol | None = None


Protocol = FewShotProtocol | KNNProtocol | RetrievalProtocol | RevisitedProtocol | CopiesProtocol

_PARTS: dict[str, type[Protocol]] = {
    "fewshot": FewShotProtocol,
    "knn": KNNProtocol,
    "retrieval": RetrievalProtocol,
    "revisited": RevisitedProtocol,
    "copies": CopiesProtocol,
}


def suite_names() -> list[str]:
    """The names of all suites."""
    folder = files("lowlabel.benchmarks") / "suites"
    return sorted(item.name.removesuffix(".toml") for item in folder.iterdir())


def load_suite(name: str) -> Suite:
    """Reads a suite; an unknown name is an `UnknownNameError` with suggestions."""
    if name not in suite_names():
        raise UnknownNameError("suite", name, suite_names())
    text = (files("lowlabel.benchmarks") / "suites" / f"{name}.toml").read_text()
    table = tomllib.loads(text)
    suite = Suite(
        name=name,
        title=table["title"],
        models=tuple(table.get("models", ())),
        **{name: _fill(kind, table.get(name)) for name, kind in _PARTS.items()},
    )
    for included in map(load_suite, table.get("includes", ())):
        parts = {n: _joined(getattr(suite, n), getattr(included, n)) for n in _PARTS}
        suite = dataclasses.replace(suite, **parts)
    return suite


def _joined(first: Any, second: Any) -> Any:
    """The first protocol, or the second where there is none; few-shot methods are those of both."""
    if isinstance(first, FewShotProtocol) and second:
        methods = tuple(dict.fromkeys(first.methods + second.methods))
        return dataclasses.replace(first, methods=methods)
    return first or second


def _fill(kind: type[Any], table: dict[str, Any] | None) -> Any:
    if table is None:
        return None
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in table.items()})
