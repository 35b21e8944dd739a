"""Compressed features in few-shot classification and retrieval."""

from dataclasses import replace

import numpy as np
import pytest

from lowlabel.benchmarks import load_suite
from lowlabel.benchmarks.protocols.fewshot import FewShot
from lowlabel.benchmarks.protocols.retrieval import Retrieval
from lowlabel.errors import InputError
from lowlabel.fewshot import evaluate_fewshot

SAMPLED = {"ways": 4, "shots": 2, "queries": 4, "tasks": 200}


def scored(protocol, data):
    (trial,) = protocol.trials(protocol.prepared(data), "cpu")
    (scores,) = trial.run()
    return trial.experiments[0], scores


def fewshot(post, method="ncm", **changes):
    options = SAMPLED | {"shots": (2,), "method": (method,), "interval": "tasks"} | changes
    return FewShot(post=post, **options)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("post", "by_hand", "size"),
    [
        (("truncate:5",), lambda x: x[:, :5], 20),
        (
            ("int8",),
            lambda x: (
                np.round(x / np.abs(x).max(1)[:, None] * 127) * np.abs(x).max(1)[:, None] / 127
            ),
            16,
        ),
        (("binary",), lambda x: np.where(x > 0, 1.0, -1.0), 2),
        (("truncate:9", "binary"), lambda x: np.where(x[:, :9] > 0, 1.0, -1.0), 2),
        (("truncate:9", "truncate:6"), lambda x: x[:, :6], 24),
    ],
)
@pytest.mark.parametrize("method", ["ncm,norm=l2", "dc"])
def test_fewshot_takes_the_compressed_features(post, by_hand, size, method, data):
    data = replace(
        data,
        tables={
            part: replace(table, features=np.abs(table.features.astype(np.float32)) - 0.3)
            if method != "dc"
            else replace(table, features=np.abs(table.features.astype(np.float32)))
            for part, table in data.tables.items()
        },
    )
    if method == "dc" and "binary" in post:
        pytest.skip("signs are negative, and dc takes their root")
    experiment, scores = scored(fewshot(post, method), data)
    base = by_hand(data.train.features), data.train.labels
    expected = evaluate_fewshot(
        by_hand(data.evaluated.features),
        data.evaluated.labels,
        base=base if method == "dc" else None,
        method=method,
        interval="tasks",
        **SAMPLED,
    )
    assert scores.scores["accuracy"].mean == pytest.approx(expected.mean, abs=0.05)
    assert scores.counts["bytes"] == size
    assert experiment.method.spec.startswith("+".join(post) + "+")


def test_records_without_compression_are_as_they_were(data):
    experiment, scores = scored(fewshot(()), data)
    assert experiment.method.spec == "ncm"
    assert "bytes" not in scores.counts
    plain, _ = scored(fewshot(("int8",)), data)
    assert plain.identity() != experiment.identity()
    assert plain.feature_keys == experiment.feature_keys


def test_retrieval_counts_the_bytes(data):
    _, scores = scored(Retrieval(k=(1,), post=("truncate:8", "int8")), data)
    assert scores.counts["bytes"] == 8
    _, scores = scored(Retrieval(k=(1,), post=("aqe:2",)), data)
    assert "bytes" not in scores.counts


def specs(suite):
    having = [each for each in suite.protocols if hasattr(each, "post")]
    return {each.name: [step.spec for step in each.post] for each in having}


def test_only_compressions_go_with_classifiers():
    with pytest.raises(InputError, match="--post aqe:3 changes the ranks of retrieval"):
        fewshot(("aqe:3",))
    suite = load_suite("all").with_options({"post": ("aqe:3",)}, {})
    posts = {
        each.name: [step.spec for step in each.post]
        for each in suite.protocols
        if hasattr(each, "post")
    }
    assert (posts["fewshot"], posts["retrieval"]) == ([], ["aqe:3"])
    suite = load_suite("all").with_options({"post": ("binary",)}, {})
    posts = {
        each.name: [step.spec for step in each.post]
        for each in suite.protocols
        if hasattr(each, "post")
    }
    assert posts["fewshot"] == posts["retrieval"] == ["binary"]
