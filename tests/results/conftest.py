import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from lowlabel.results.environment import Environment
from lowlabel.results.experiment import (
    DatasetInfo,
    Experiment,
    MethodInfo,
    ModelInfo,
    ProtocolInfo,
)
from lowlabel.results.record import Record, Score
from lowlabel.results.reference import Reference, numbers
from lowlabel.results.store import ScoredRecord

TASKS = 200
TRANSFORM = {
    "resize": 256,
    "crop": 224,
    "interpolation": "bicubic",
    "mean": (0.485, 0.456, 0.406),
}
SSL_VIT_TRANSFORM = TRANSFORM | {"interpolation": "bilinear"}
ENVIRONMENT = Environment(
    "0.1.0", "0123abcd" * 5, "3.12.1", "2.15.0", "1.0.31", "2.4.6", "cpu (2 threads)"
)


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def interval(values: np.ndarray) -> float:
    return float(1.96 * values.std(ddof=1) / np.sqrt(len(values)))


def make_fewshot(
    model: str = "pixels",
    method: str = "ncm",
    shots: int = 1,
    mean: float = 60.0,
    *,
    values: np.ndarray | None = None,
    dataset: str = "cifar-fs",
    scheme: str = "bertinetto",
    title: str = "CIFAR-FS",
    tasks: int = TASKS,
    options: dict[str, object] | None = None,
    method_options: dict[str, object] | None = None,
    version: int = 1,
    task_hash: str | None = "tasks",
    transductive: bool = False,
    method_version: int = 1,
    **changes: object,
) -> ScoredRecord:
    """A few-shot record whose accuracies have the wanted mean; `changes` go to its parts."""
    if values is None:
        noise = np.random.default_rng(int(sha(f"{model}{method}{shots}")[:8], 16))
        values = mean + noise.normal(0, 5, tasks)
        values += mean - values.mean()
    fields = {
        kind: {k: v for k, v in changes.items() if k in kind.__dataclass_fields__}
        for kind in (DatasetInfo, ModelInfo, Record)
    }
    experiment = Experiment(
        suite="fewshot",
        protocol=ProtocolInfo(
            f"5-way {shots}-shot",
            version,
            {"ways": 5, "shots": shots, "queries": 15, "tasks": tasks, "seed": 0} | (options or {}),
        ),
        model=ModelInfo(
            **{
                "name": model,
                "spec": model,
                "weights_sha256": sha(model),
                "pooling": "cls",
                "resolution": 224,
                "dtype": "float32",
                "transform": TRANSFORM,
            }
            | fields[ModelInfo]
        ),
        dataset=DatasetInfo(
            **{
                "name": dataset,
                "title": title,
                "split": "novel",
                "scheme": scheme,
                "manifest_sha256": sha(dataset + scheme),
                "images": 12_000,
                "classes": 20,
            }
            | fields[DatasetInfo]
        ),
        method=MethodInfo(method, method_options or {}, transductive, method_version),
        feature_keys={"novel": sha(model + dataset)},
    )
    record = Record(
        **{
            "experiment": experiment,
            "scores": {"accuracy": Score(float(values.mean()), interval(values))},
            "ci95_definition": "1.96·σ/√n over tasks (ddof 1)",
            "counts": {"tasks": len(values)},
            "environment": ENVIRONMENT,
            "task_hash": task_hash,
            "wall_s": 1.5,
            "peak_memory_mb": 100.0,
            "created": "2026-01-02T03:04:05+00:00",
        }
        | fields[Record]
    )
    return ScoredRecord(record, {"accuracy": values})


def make_knn(
    model: str = "pixels",
    k: int = 20,
    mean: float = 60.0,
    *,
    temperature: float = 0.07,
    images: int = 400,
    **changes: object,
) -> ScoredRecord:
    """A k-NN record with top-1 and top-5 of every scored image."""
    right = np.random.default_rng(int(sha(model)[:8], 16)).permutation(images)
    per_item = {
        name: np.where(right < round(share / 100 * images), 100.0, 0.0)
        for name, share in {"top1": mean, "top5": mean + 20}.items()
    }
    like = make_fewshot(model, **changes).record
    experiment = replace(
        like.experiment,
        suite="classification",
        protocol=ProtocolInfo("half of each class", 1),
        method=MethodInfo(f"knn,k={k}", {"k": k, "temperature": temperature}),
    )
    record = replace(
        like,
        experiment=experiment,
        scores={m: Score(float(v.mean()), interval(v)) for m, v in per_item.items()},
        counts={"images": images, "voters": images},
        task_hash=None,
    )
    return ScoredRecord(record, per_item)


def make_retrieval(
    model: str = "dino_vits16",
    recalls: dict[int, float] | None = None,
    *,
    queries: int = 500,
    protocol: str = "dml-zeroshot",
    spec: str = "",
    transform: dict[str, object] = SSL_VIT_TRANSFORM,
    partial: tuple[object, ...] = (),
    dataset: str = "cub",
    title: str = "CUB-200-2011",
    version: int = 1,
    **changes: object,
) -> ScoredRecord:
    """A retrieval record with recall@K exact to one query, and MAP@R."""
    recalls = recalls or {1: 71.0, 2: 81.0, 4: 88.0, 8: 93.0}
    per_item = {
        f"recall@{k}": np.where(np.arange(queries) < round(value / 100 * queries), 100.0, 0.0)
        for k, value in recalls.items()
    }
    per_item["map@r"] = np.linspace(0, 50, queries)
    experiment = Experiment(
        suite="retrieval",
        protocol=ProtocolInfo(protocol, version, {"ks": tuple(recalls), "ties": "pessimistic"}),
        model=ModelInfo(model, spec or model, sha(model), "cls", 224, "float32", transform),
        dataset=DatasetInfo(
            dataset, title, "test", "dml-zeroshot", sha(dataset), queries, 100, partial
        ),
        method=MethodInfo("cosine"),
        feature_keys={"test": sha(model + dataset)},
    )
    record = Record(
        **{
            "experiment": experiment,
            "scores": {m: Score(float(v.mean()), interval(v)) for m, v in per_item.items()}
            | {"nmi": Score(55.5)},
            "ci95_definition": "1.96·σ/√n over queries (ddof 1)",
            "counts": {"queries": queries, "lone": 0},
            "environment": ENVIRONMENT,
            "created": "2026-01-02T03:04:05+00:00",
        }
        | changes
    )
    return ScoredRecord(record, per_item)


@pytest.fixture
def fewshot() -> Callable[..., ScoredRecord]:
    return make_fewshot


@pytest.fixture
def knn() -> Callable[..., ScoredRecord]:
    return make_knn


@pytest.fixture
def retrieval() -> Callable[..., ScoredRecord]:
    return make_retrieval


@pytest.fixture
def tuned() -> Callable[..., ScoredRecord]:
    """A record of logistic regression whose c was chosen on the validation part."""

    def make(model: str, c: float, *, tasks: int = 500, **changes: object) -> ScoredRecord:
        on = {"part": "val", "tasks": tasks, "seed": 0}
        tried = {"logreg": 61.0, f"logreg,c={c}": 63.2}
        return make_fewshot(
            model,
            **{
                "method": "logreg",
                "method_options": {"c": 1.0, "norm": "none", "tuned": on},
                "chosen": {"method": f"logreg,c={c}", "tried": tried},
            }
            | changes,
        )

    return make


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Takes some numbers for all that are published."""

    def take(*references: Reference) -> None:
        monkeypatch.setattr(numbers, "load_references", lambda: references)
        numbers._published.cache_clear()

    yield take
    numbers._published.cache_clear()
