"""Images of a query's own group are as absent, whatever ranks them."""

import numpy as np
import pytest
import torch

from lowlabel.errors import InputError
from lowlabel.retrieval import evaluate_retrieval
from lowlabel.retrieval.post import Embedded, apply_post_processing, build_post
from lowlabel.retrieval.ranking.torch_counter import TorchCounter

TIES = ("pessimistic", "optimistic", "index")


def assert_same(result, expected):
    for name, values in expected.items():
        np.testing.assert_allclose(result.per_query[name], values, rtol=0, atol=1e-9, err_msg=name)


@pytest.fixture
def grouped(clustered):
    """Images with groups within classes, groups across classes, and images on their own."""

    def make(images=300, **options):
        x, labels = clustered(images=images, **options)
        rng = np.random.default_rng(3)
        nested, across = (
            10 * labels + rng.integers(0, 3, images),
            10_000 + rng.integers(0, 40, images),
        )
        alone = 20_000 + np.arange(images)
        kind = rng.integers(0, 3, images)
        groups = np.choose(kind, [nested, across, alone])
        x[images - 60 :] = x[:60]  # equal images, some of them in one group
        groups[images - 60 : images - 30] = groups[:30]
        return x, labels, groups

    return make


@pytest.mark.parametrize("counter", ["numba", "torch"])
@pytest.mark.parametrize("strips", [False, True])
@pytest.mark.parametrize("ties", TIES)
def test_leave_one_out_equals_brute_force(monkeypatch, brute_force, grouped, ties, strips, counter):
    if strips:
        monkeypatch.setattr("lowlabel.retrieval.ranking.exact_ranker._SYMMETRIC_POSITIVES", 0)
    if counter == "torch":
        monkeypatch.setattr(
            "lowlabel.retrieval.ranking.exact_ranker.counter_for", lambda _: TorchCounter
        )
    x, labels, groups = grouped()
    options = {"groups": groups, "ignore_same_group": True, "block_size": 64}
    result = evaluate_retrieval(x, labels, ties=ties, **options)
    assert_same(result, brute_force(x, labels, ties=ties, groups=(groups, groups)))
    assert 0 < result.lone < len(labels)


@pytest.mark.parametrize("ties", TIES)
def test_gallery_equals_brute_force(brute_force, grouped, ties):
    x, labels, groups = grouped()
    sides = (groups[:120], groups[120:])
    query, gallery = (x[:120], labels[:120]), (x[120:], labels[120:])
    result = evaluate_retrieval(
        *query,
        gallery=gallery,
        groups=sides[0],
        gallery_groups=sides[1],
        ignore_same_group=True,
        ties=ties,
    )
    assert_same(result, brute_force(*query, gallery=gallery, ties=ties, groups=sides))


@pytest.mark.parametrize("ties", TIES)
def test_large_classes_and_groups_equal_brute_force(monkeypatch, brute_force, grouped, ties):
    monkeypatch.setattr("lowlabel.retrieval.ranking.numba_counter._FEW", 40)
    x, labels, _ = grouped(classes=3, noise=4)
    groups = np.arange(len(labels)) % 7
    result = evaluate_retrieval(x, labels, groups=groups, ignore_same_group=True, ties=ties)
    assert_same(result, brute_force(x, labels, ties=ties, groups=(groups, groups)))


@pytest.mark.parametrize("ties", TIES)
def test_re_ranked_similarities_equal_brute_force(brute_force_of_similarity, clustered, ties):
    x, labels = clustered(images=150, classes=12)  # of equal images, re-ranking makes ties
    groups = np.arange(len(x)) % 30
    unit = torch.from_numpy(x.astype(np.float64) / np.linalg.norm(x, axis=1, keepdims=True))
    similarity = apply_post_processing([build_post("diffusion:3")], Embedded(unit, unit, True))
    rows = similarity.rows(torch.arange(len(x))).numpy()
    expected = brute_force_of_similarity(rows, labels, labels, True, ties=ties, groups=groups)
    result = evaluate_retrieval(
        unit.numpy(),
        labels,
        post=("diffusion:3",),
        ks=(1, 4),
        ties=ties,
        groups=groups,
        ignore_same_group=True,
    )
    assert_same(result, expected)


def test_an_index_that_finds_everything_has_the_scores_of_the_exact_search(grouped):
    pytest.importorskip("faiss")
    x, labels, groups = grouped()
    options = {"groups": groups, "ignore_same_group": True}
    exact = evaluate_retrieval(x, labels, **options)
    found = evaluate_retrieval(x, labels, search="flat", **options)
    for name in ("recall@1", "recall@8", "map@r", "r_precision"):
        np.testing.assert_allclose(found.per_query[name], exact.per_query[name], atol=1e-9)


def test_recall_without_a_class_is_that_of_the_other_images_alone(grouped):
    x, labels, groups = grouped(images=200, classes=12, noise=3)
    options = {"ks": (1, 4), "ignore_same_group": True}
    result = evaluate_retrieval(x, labels, groups=groups, **options)
    with_queries = np.unique(labels[result.query_index])
    for place, name in enumerate(with_queries):
        rest = labels != name
        without = evaluate_retrieval(x[rest], labels[rest], groups=groups[rest], **options)
        for score in ("recall@1", "recall@4"):
            replicates = result.intervals[score]["classes"].replicates
            assert replicates[place] == pytest.approx(without.metrics[score], abs=1e-9)


def test_lone_queries_can_count_as_misses(brute_force, grouped):
    x, labels, groups = grouped()
    options = {"groups": groups, "ignore_same_group": True}
    left_out = evaluate_retrieval(x, labels, **options)
    missed = evaluate_retrieval(x, labels, lone_queries="miss", **options)
    share = 1 - left_out.lone / len(labels)
    assert missed.metrics["map"] == pytest.approx(share * left_out.metrics["map"])


def test_groups_of_one_change_nothing(grouped):
    x, labels, _ = grouped()
    plain = evaluate_retrieval(x, labels)
    alone = evaluate_retrieval(x, labels, groups=np.arange(len(x)), ignore_same_group=True)
    for name, values in plain.per_query.items():
        np.testing.assert_array_equal(alone.per_query[name], values)


def test_what_cannot_be_ignored_is_refused(grouped):
    x, labels, groups = grouped()
    with pytest.raises(InputError, match="ignore_same_group needs groups"):
        evaluate_retrieval(x, labels, ignore_same_group=True)
    with pytest.raises(InputError, match="ignore_same_group needs gallery_groups"):
        evaluate_retrieval(x, labels, gallery=(x, labels), groups=groups, ignore_same_group=True)
    with pytest.raises(InputError, match="of its class and of another group"):
        evaluate_retrieval(x, labels, groups=labels, ignore_same_group=True)
    with pytest.raises(InputError, match="other images that a query is compared with"):
        evaluate_retrieval(x, labels, groups=np.arange(300) % 2, ignore_same_group=True, ks=(200,))
    with pytest.raises(InputError, match=r"compared with no image: all .* are of its group"):
        evaluate_retrieval(x, labels, groups=np.zeros(300, int), ignore_same_group=True)
