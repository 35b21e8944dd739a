"""Scores against bytes per image."""

import numpy as np
import pytest

from lowlabel.analysis.compression import (
    FewShotTasks,
    draw_compression,
    measure_compression,
    tabulate_compression,
    usual_chains,
)
from lowlabel.errors import InputError
from lowlabel.fewshot import evaluate_fewshot
from lowlabel.retrieval import evaluate_retrieval


@pytest.fixture
def data():
    random = np.random.default_rng(0)
    labels = np.arange(120) % 6
    features = random.normal(size=(6, 32))[labels] + random.normal(size=(120, 32))
    return features.astype(np.float32), labels


def test_scores_are_those_of_the_protocols_beside_the_bytes(data):
    features, labels = data
    tasks = FewShotTasks("ncm", (1,), 100)
    table = measure_compression(
        "mine", features, labels, chains=("truncate:8+int8", "binary"), fewshot=tasks
    )
    sizes = dict(zip(table["embedding"], table["bytes"], strict=True))
    assert sizes == {"float32": 128, "truncate:8+int8": 8, "binary": 4}
    of = table.set_index(["embedding", "metric"])["mean"]
    expected = evaluate_retrieval(features, labels, post=["truncate:8", "int8"], ks=(1,)).metrics
    assert of["truncate:8+int8", "map@r"] == pytest.approx(expected["map@r"])
    signs = np.where(features > 0, 1.0, -1.0)
    found = evaluate_fewshot(signs, labels, method="ncm", shots=1, tasks=100, interval="tasks")
    assert of["binary", "1-shot"] == pytest.approx(found.mean)
    wide = tabulate_compression(table)
    assert wide["embedding"].tolist() == ["float32", "truncate:8+int8", "binary"]
    assert wide.columns.tolist() == ["model", "embedding", "bytes", "recall@1", "map@r", "1-shot"]
    assert draw_compression("mine", table).size[0] > 600


def test_usual_chains_are_of_parts_of_the_dimensions():
    assert usual_chains(384) == [
        *("truncate:192", "truncate:96", "truncate:48", "int8", "binary"),
        *("truncate:96+int8", "truncate:192+binary"),
    ]
    assert usual_chains(4) == ["int8", "binary"]


def test_other_post_processing_is_refused(data):
    with pytest.raises(InputError, match="aqe:10 is no compression"):
        measure_compression("mine", *data, chains=("int8+aqe",))
