"""Intervals over classes: each class is really deleted, and everything is computed again."""

import numpy as np
import pytest
from scipy import stats

from lowlabel.errors import InputError, UnknownNameError
from lowlabel.intervals import jackknife, means_without
from lowlabel.retrieval import evaluate_retrieval
from lowlabel.retrieval.ranking.torch_counter import TorchCounter

KS = (1, 2, 5, 16)
RANKER = "lowlabel.retrieval.ranking.exact_ranker"


@pytest.fixture
def images():
    """Small classes, a large one, one-image classes, and duplicates within and across classes."""
    rng = np.random.default_rng(3)
    labels = np.concatenate([rng.integers(0, 25, 170), [50, 51, 52], np.full(40, 60)])
    means = rng.standard_normal((61, 6))
    x = (means[labels] + 0.9 * rng.standard_normal((len(labels), 6))).astype(np.float32)
    x[20:40], x[60:64], x[170] = x[:20], x[60], x[0]
    order = rng.permutation(len(labels))
    return x[order], labels[order] - 7


def really_deleted(brute_force, x, labels, gallery=None, ties="pessimistic"):
    """Recall@K without each class of the scored queries, from everything computed again."""
    searched = labels if gallery is None else gallery[1]
    least = 2 if gallery is None else 1
    classes = [c for c in np.unique(labels) if (searched == c).sum() >= least]
    found = []
    for deleted in classes:
        kept = labels != deleted
        rest = gallery and tuple(side[gallery[1] != deleted] for side in gallery)
        scores = brute_force(x[kept], labels[kept], rest, ks=KS, ties=ties)
        found.append([scores[f"recall@{k}"].mean() for k in KS])
    return np.transpose(found)


def replicates(result):
    return np.stack([result.intervals[f"recall@{k}"]["classes"].replicates for k in KS])


@pytest.mark.slow
@pytest.mark.parametrize("ties", ["pessimistic", "optimistic", "index"])
@pytest.mark.parametrize("split", [None, 90])
def test_recall_without_each_class_is_that_of_deleting_it(brute_force, images, split, ties):
    x, labels = images
    gallery = None if split is None else (x[split:], labels[split:])
    queries, wanted = x[:split], labels[:split]
    result = evaluate_retrieval(queries, wanted, gallery=gallery, ks=KS, ties=ties)
    expected = really_deleted(brute_force, queries, wanted, gallery, ties)
    np.testing.assert_allclose(replicates(result), expected)
    for k, without in zip(KS, expected, strict=True):
        interval = result.intervals[f"recall@{k}"]["classes"]
        assert interval.half_width == pytest.approx(jackknife(without))
        assert result.ci95[f"recall@{k}"] == interval.half_width
        assert f"each of {len(without)} classes" in interval.definition
    assert result.ci95["precision@1"] == result.ci95["recall@1"]


@pytest.mark.parametrize("patch", ["strips", "few listed", "tensors", "look-up", "64 rows"])
@pytest.mark.parametrize("split", [None, 90])
def test_it_does_not_depend_on_how_rivals_are_listed(monkeypatch, images, split, patch):
    x, labels = images
    options = {"gallery": None if split is None else (x[split:], labels[split:]), "ks": KS}
    expected = replicates(evaluate_retrieval(x[:split], labels[:split], **options))
    if patch == "strips":
        monkeypatch.setattr(f"{RANKER}._SYMMETRIC_POSITIVES", 0)
    elif patch == "few listed":
        monkeypatch.setattr(f"{RANKER}._LISTED_RIVALS", 3 * len(x))
    elif patch == "tensors":
        monkeypatch.setattr(f"{RANKER}.counter_for", lambda device: TorchCounter)
        monkeypatch.setattr(f"{RANKER}._LISTED_RIVALS", 3 * len(x))
    elif patch == "look-up":
        monkeypatch.setattr("lowlabel.retrieval.ranking.numba_counter._FEW", 3)
    else:
        options["block_size"] = 64
    found = evaluate_retrieval(x[:split], labels[:split], **options)
    np.testing.assert_allclose(replicates(found), expected)


def test_collapsed_embeddings_have_no_width(clustered):
    _, labels = clustered()
    result = evaluate_retrieval(np.ones((len(labels), 4)), labels, ks=KS)
    assert replicates(result).max() == 0
    assert result.ci95["recall@1"] == 0


def test_a_class_that_hides_every_positive_decides():
    """Without class 1, the queries of class 0 find each other; without class 0, nothing changes."""
    x = np.array([[1, 0.0], [1, 0.2], [1, 0.1], [1, 0.1], [-1, 0], [-1, 0.1]])
    result = evaluate_retrieval(x, [0, 0, 1, 1, 2, 2], ks=(1,), ties="optimistic")
    assert result.per_query["recall@1"].tolist() == [0, 0, 100, 100, 100, 100]
    without = result.intervals["recall@1"]["classes"].replicates
    np.testing.assert_allclose(without, [100, 100, 50])


def test_lone_queries_that_count_as_misses_stay_misses(images):
    x, labels = images
    result = evaluate_retrieval(x, labels, ks=(1,), lone_queries="miss")
    hits = result.per_query["recall@1"]
    for number, deleted in enumerate(np.unique(labels)):
        kept = labels != deleted
        again = evaluate_retrieval(x[kept], labels[kept], ks=(1,), lone_queries="miss")
        without = result.intervals["recall@1"]["classes"].replicates[number]
        assert without == pytest.approx(again.metrics["recall@1"])
    assert len(hits) == len(labels)


def test_precomputed_similarities_are_kept_when_a_class_is_deleted(images):
    x, labels = images
    result = evaluate_retrieval(x, labels, ks=(1, 4), post=["k-reciprocal:6,k2=2"])
    hits = result.per_query["recall@1"]
    without = result.intervals["recall@1"]["classes"].replicates
    own = means_without(hits, labels[result.query_index])
    assert (without >= own - 1e-9).all() and (without > own).any()


def test_other_scores_are_clustered_by_the_class_of_the_query(images):
    x, labels = images
    result = evaluate_retrieval(x, labels, ks=(1,))
    classes = labels[result.query_index]
    values = result.per_query["map@r"]
    interval = result.intervals["map@r"]["classes"]
    expected = [values[classes != c].mean() for c in np.unique(classes)]
    np.testing.assert_allclose(interval.replicates, expected)
    assert interval.half_width == pytest.approx(jackknife(np.array(expected)))
    assert "of other scores" in result.ci95_definition
    assert "of Recall@K: jackknife that deletes" in result.ci95_definition


def test_an_index_has_no_rankings_without_a_class(images):
    result = evaluate_retrieval(*images, ks=(1,), search="flat")
    assert "deletes" not in result.ci95_definition
    assert result.intervals["recall@1"]["classes"].replicates is not None


def test_groups_are_those_of_the_queries(images):
    x, labels = images
    groups = np.arange(len(labels)) // 6
    result = evaluate_retrieval(x, labels, ks=(1,), groups=groups, interval="groups")
    scored = result.query_index
    hits = result.per_query["recall@1"]
    assert result.ci95["recall@1"] == pytest.approx(jackknife(means_without(hits, groups[scored])))
    other = evaluate_retrieval(x, labels, ks=(1,))
    assert other.intervals["recall@1"].keys() == {"queries", "classes"}


def test_two_classes_are_enough_and_one_is_not():
    x = np.array([[1, 0.0], [1, 0.1], [0, 1.0]])
    result = evaluate_retrieval(x, [0, 0, 1], ks=(1,))
    assert np.isnan(result.ci95["recall@1"])
    assert "fewer than two classes" in result.ci95_definition


def test_bad_intervals_and_groups(images):
    x, labels = images
    with pytest.raises(UnknownNameError, match="confidence interval"):
        evaluate_retrieval(x, labels, interval="tasks")
    with pytest.raises(InputError, match="needs the group of each query"):
        evaluate_retrieval(x, labels, interval="groups")
    with pytest.raises(InputError, match="groups"):
        evaluate_retrieval(x, labels, groups=labels[:-1])


@pytest.mark.slow
def test_the_interval_over_classes_covers_other_classes():
    """Recall@1 of 12 classes × 6 images; the interval over queries covers far less."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(12), 6)

    def world():
        x = rng.standard_normal((12, 8))[labels] + 1.1 * rng.standard_normal((72, 8))
        return evaluate_retrieval(x, labels, ks=(1,), device="cpu")

    truth = np.mean([world().metrics["recall@1"] for _ in range(400)])
    results = [world() for _ in range(250)]
    miss = {
        kind: sum(
            abs(r.metrics["recall@1"] - truth) > r.intervals["recall@1"][kind].half_width
            for r in results
        )
        for kind in ("classes", "queries")
    }
    assert stats.binomtest(miss["classes"], 250, 0.05).pvalue > 1e-4
    assert miss["queries"] > 2 * miss["classes"]
