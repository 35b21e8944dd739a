"""Class-level retrieval: leave-one-out within the evaluated part, or in its gallery."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, Literal, Self

from lowlabel.arrays import as_counts, as_integers
from lowlabel.benchmarks.protocols.base import without_groups
from lowlabel.benchmarks.protocols.compressed import stored_bytes
from lowlabel.benchmarks.protocols.ranking import (
    RankingProtocol,
    list_options,
    method_of,
    retrieval_scores,
)
from lowlabel.benchmarks.protocols.retrieval_scorers import (
    others,
    score_classes,
    score_lists,
    score_several_labels,
)
from lowlabel.benchmarks.protocols.trial import ProtocolScores, Trial
from lowlabel.datasets import Dataset, Division
from lowlabel.errors import number_of
from lowlabel.features import EmbeddedDataset
from lowlabel.features.embedded import FILE
from lowlabel.progress import progress_bar
from lowlabel.results import Experiment
from lowlabel.retrieval import RetrievalResult
from lowlabel.retrieval.clustering import ITERATIONS, SEEDS, clustering_backend
from lowlabel.retrieval.post import PostProcessing, check_chain
from lowlabel.retrieval.search import EXACT, Index, build_index

_FILE_K = (1, 2, 4, 8)  # of embeddings made elsewhere
_NAMED = {"dml-zeroshot", "dml-zeroshot-box", "classification-split"}


@dataclass(frozen=True, kw_only=True)
class Retrieval(RankingProtocol):
    """Recall@K, MAP@R, R-Precision, mAP and MRR.

    Attributes:
        k: The K of Recall@K; empty for those that are usual on the dataset.
        map_at: The k of mAP@k, such as 1000; empty to leave it out.
        lone_queries: Whether a query without a positive is left out or counts as a miss.
        search: "exact", or an index or its spec.
        ignore_same_group: Whether the images of a query's own group (patient, camera, burst) are
            neither positives nor negatives.
        nmi: Whether k-means clusters are scored too, by NMI, AMI and F1.
        nmi_seeds: Number of k-means runs.
        worst: Number of worst queries to draw with their nearest images; changes no score.
        large_k: Whether a K that exceeds the images is left out, which is said, or an error. A K
            that is named on the command line is an error.
    """

    name: ClassVar[str] = "retrieval"
    prefers: ClassVar[tuple[str, ...]] = ("test", "query")
    several_labels: ClassVar[bool] = True

    k: tuple[int, ...] = ()
    map_at: tuple[int, ...] = ()
    lone_queries: Literal["exclude", "miss"] = "exclude"
    search: str | Index = EXACT
    ignore_same_group: bool = False
    nmi: bool = False
    nmi_seeds: int = SEEDS
    worst: int = 0
    large_k: Literal["skip", "error"] = "skip"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "search", build_index(self.search) or EXACT)
        check_chain(self.post, index=self.search != EXACT, nmi=self.nmi)
        if self.k:
            as_counts(self.k, "k")
        if self.map_at:
            as_counts(self.map_at, "map_at")
        as_integers(0, worst=self.worst)
        as_integers(1, nmi_seeds=self.nmi_seeds)

    def with_options(self, values: Mapping[str, Any]) -> Self:
        """Overrides fields; a K that is named must be possible."""
        named = {"large_k": "error"} if "k" in values else {}
        return super().with_options({**named, **values})

    def needs(self, division: Division) -> tuple[str, ...]:
        """The train part if whitening learns from it, the gallery, the evaluated part."""
        if division.kind not in ("classes", "labels"):
            return ()
        learns = any(post.needs_train for post in self.post) and self.train_features is None
        parts = division.train_part if learns else None, division.gallery, division.evaluated
        return tuple(part for part in parts if part)

    def for_dataset(self, dataset: Dataset | None) -> Self:
        """Fills `k`."""
        return self if self.k else replace(self, k=dataset.ks if dataset else _FILE_K)

    def unfit(self, division: Division) -> str | None:
        """Whitening needs images to learn from, pictures need images, and groups groups."""
        by_group = self.interval == "groups" or self.ignore_same_group
        if by_group and (why := without_groups(division)):
            return why
        if division.kind == "labels" and (why := self._single_labels()):
            return why
        if self.worst and division.name == FILE:
            return "has no images to draw: leave --worst out."
        learns = [step.spec for step in self.post if step.needs_train]
        if learns and self.train_features is None and division.train_part is None:
            return f"has no images to learn {learns[0]} from: add --train-features FILE."
        if self.train_features and not learns:
            return "learns nothing from --train-features: add --post whiten, or leave it out."
        if self.nmi_seeds != SEEDS and not self.nmi:
            return "makes no clusters: add --nmi, or leave retrieval.nmi_seeds out."
        return None

    def unfit_ranking(self) -> str | None:
        """Nor are embeddings searched, clustered or drawn."""
        given = {"--search": self.search != EXACT, "--nmi": self.nmi, "--worst": self.worst}
        unmet = [flag for flag, value in given.items() if value]
        why = f"{', '.join(unmet)} needs embeddings, and a ranking has none" if unmet else None
        return super().unfit_ranking() or why

    def _single_labels(self) -> str | None:
        """Which option needs images with one label each; None if none does."""
        needing = {
            "--post": self.post,
            "--search": self.search != EXACT,
            "--nmi": self.nmi,
            "--worst": self.worst,
            "lone_queries=miss": self.lone_queries != "exclude",
        }
        chosen = [option for option, value in needing.items() if value]
        return f"has images with several labels: leave {chosen[0]} out." if chosen else None

    def trials(self, data: EmbeddedDataset, device: str) -> Iterator[Trial]:
        """Yields one trial, of the K that do not exceed the images."""
        fitting = replace(self, k=self._fitting(data) or self.k)
        run = partial(fitting._score, data, device)
        yield Trial((fitting._experiment(data),), run, self.interval)

    def left_out(self, data: EmbeddedDataset) -> list[str]:
        """The K that exceed the images."""
        fitting = self._fitting(data)
        large = [str(k) for k in self.k if k not in fitting]
        if not fitting or not large:
            return []
        images = number_of(self._others(data), "images")
        images += " of other groups" * self.ignore_same_group
        return [f"K = {', '.join(large)} on {data.title}: a query has {images}"]

    def describe(self) -> str:
        """Such as "retrieval, aqe:10, NMI, AMI, F1, K = 1, 2, 4, 8"."""
        steps = [step.spec for step in self._steps()] + (["NMI, AMI, F1"] if self.nmi else [])
        return ", ".join(["retrieval", *steps, f"K = {', '.join(map(str, self.k))}"])

    def _fitting(self, data: EmbeddedDataset) -> tuple[int, ...]:
        """The K that are scored."""
        if self.large_k == "error":
            return self.k
        return tuple(k for k in self.k if k <= self._others(data))

    def _others(self, data: EmbeddedDataset) -> int:
        return others(data, ignore_same_group=self.ignore_same_group)

    def _steps(self) -> list[PostProcessing | Index]:
        """What is done to embeddings, then the index that searches if there is one."""
        return [*self.post, *([self.search] if isinstance(self.search, Index) else [])]

    def _experiment(self, data: EmbeddedDataset) -> Experiment:
        options: dict[str, object] = {
            "ks": self.k,
            "ties": self.ties,
            "lone_queries": self.lone_queries,
        }
        if self.map_at:
            options["map_at"] = self.map_at
        if self.ignore_same_group:
            options["ignored"] = "images of the query's group"
        if data.several_labels:
            options["positives"] = "images that share a label"
        if self.nmi:
            runs = f"{self.nmi_seeds} seeds of {ITERATIONS} iterations"
            options["nmi"] = f"{clustering_backend()} k-means, {runs}"
        options |= list_options(data)
        unnamed = "leave-one-out" if data.gallery is None else "query-gallery"
        if self.ignore_same_group:
            unnamed += ", other groups"
        if data.several_labels:
            unnamed += ", several labels"
        learns = any(post.needs_train for post in self.post)
        return self.experiment(
            data,
            data.division if data.division in _NAMED else unnamed,
            options,
            method_of(self._steps(), data),
            data.train_part if learns else None,
            data.gallery_part,
            data.evaluated_part,
        )

    def _score(self, data: EmbeddedDataset, device: str) -> list[ProtocolScores]:
        gallery = data.gallery
        counts = {"gallery": len(gallery.labels)} if gallery else {}
        with progress_bar(f"retrieval on {data.title}", "query") as progress:
            result = self._scorer(data)(
                data,
                ks=self.k,
                map_at=self.map_at,
                ties=self.ties,
                groups=data.evaluated.groups,
                gallery_groups=gallery.groups if gallery else None,
                ignore_same_group=self.ignore_same_group,
                interval=self.interval,
                device=device,
                progress=progress,
            )
        if data.ranking is not None:
            return [retrieval_scores(result, (), **counts)]
        counts |= stored_bytes(data, self.post)
        return [retrieval_scores(result, self._steps(), **counts)]

    def _scorer(self, data: EmbeddedDataset) -> Callable[..., RetrievalResult]:
        if data.ranking is not None:
            return partial(score_lists, lone_queries=self.lone_queries)
        if data.several_labels:
            return score_several_labels
        return partial(
            score_classes,
            post=self.post,
            search=self.search,
            nmi=self.nmi,
            nmi_seeds=self.nmi_seeds,
            lone_queries=self.lone_queries,
        )
