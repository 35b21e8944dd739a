"""Scores against bytes per image."""

import numpy as np
import pytest

from lowlabel.analysis.compression import (
    ClassSearch,
    CopySearch,
    FewShotTasks,
    LandmarkSearch,
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
        "mine", ClassSearch(features, labels), chains=("truncate:8+int8", "binary"), fewshot=tasks
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
        measure_compression("mine", ClassSearch(*data), chains=("int8+aqe",))


def average_precision(similar, positives, top=np.inf):
    """Mean over queries of the area under precision and recall by trapezoids, in float64."""
    found = []
    for row, wanted in zip(similar, positives, strict=True):
        ranks = np.flatnonzero(np.isin(np.argsort(-row, kind="stable"), wanted))
        hits = np.arange(len(ranks))
        before = np.where(ranks == 0, 1.0, hits / np.maximum(ranks, 1))
        areas = (before + (hits + 1) / (ranks + 1)) / 2
        found.append(areas[ranks < top].sum() / len(wanted))
    return 100 * np.mean(found)


def cosines(query, gallery, change):
    sides = [change(each.astype(np.float64)) for each in (query, gallery)]
    unit = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in sides]
    return unit[0] @ unit[1].T


CHANGES = {
    "float32": lambda rows: rows,
    "truncate:8": lambda rows: rows[:, :8],
    "binary": lambda rows: np.where(rows > 0, 1.0, -1.0),
}


def test_landmarks_are_scored_by_medium_and_hard_average_precision(data):
    features, labels = data
    query, gallery = features[:6], features[6:]
    easy = [np.flatnonzero(labels[6:] == label)[:9] for label in range(6)]
    hard = [np.flatnonzero(labels[6:] == label)[9:] for label in range(6)]
    truth = [
        {"easy": one.tolist(), "hard": other.tolist(), "junk": []}
        for one, other in zip(easy, hard, strict=True)
    ]
    search = LandmarkSearch(query, gallery, truth, labels[:6])
    chains = ("truncate:8", "binary")
    table = measure_compression("mine", search, chains=chains).set_index(["embedding", "metric"])
    for name in ("float32", "truncate:8"):  # binary rows have ties, which the sort breaks
        similar = cosines(query, gallery, CHANGES[name])
        both = [np.concatenate(pair) for pair in zip(easy, hard, strict=True)]
        medium = average_precision(similar, both)
        for row, junk in zip(similar, easy, strict=True):
            row[junk] = -np.inf
        of = table.loc[name, "mean"]
        assert of["map_medium"] == pytest.approx(medium)
        assert of["map_hard"] == pytest.approx(average_precision(similar, hard))
    assert table["bytes"].unique().tolist() == [128, 32, 4]
    assert (table["ci95"] > 0).all()


def test_copies_are_scored_by_average_precision_of_the_first_20(data):
    features, labels = data
    query, gallery = features[:90], features[90:]
    search = CopySearch(query, labels[:90], gallery, labels[90:])
    table = measure_compression("mine", search, chains=("truncate:8",))
    assert table["metric"].unique().tolist() == ["map@20"]
    positives = [np.flatnonzero(labels[90:] == label) for label in labels[:90]]
    for name, mean in zip(table["embedding"], table["mean"], strict=True):
        similar = cosines(query, gallery, CHANGES[name])
        assert mean == pytest.approx(average_precision(similar, positives, 20))


def test_few_shot_tasks_need_classes(data):
    features, labels = data
    search = CopySearch(features, labels, features, labels)
    with pytest.raises(InputError, match="few-shot tasks need classes"):
        measure_compression("mine", search, chains=("int8",), fewshot=FewShotTasks())
