"""Every post-processing against a plain float64 version."""

import numpy as np
import pytest
import torch

from lowlabel.retrieval import evaluate_retrieval
from lowlabel.retrieval.post import Embedded, apply_post_processing, build_post

KINDS = ("leave-one-out", "gallery")


@pytest.fixture(params=[None, 300])
def small_blocks(request, monkeypatch):
    """Once with everything in one block, once in many."""
    if request.param:
        monkeypatch.setattr("lowlabel.retrieval.ranking.blocks.BLOCK_VALUES", request.param)


@pytest.fixture
def sides(clustered):
    """Unit rows of a leave-one-out set, and of queries with a gallery, in float64."""
    x, _ = clustered(images=90, classes=12, noise=1.0)
    unit = x.astype(np.float64) / np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True)
    return {"leave-one-out": (unit, unit), "gallery": (unit[:30], unit[30:])}


def applied(spec, sides, kind, train=None):
    queries, gallery = (torch.from_numpy(side) for side in sides[kind])
    leave_one_out = kind == "leave-one-out"
    gallery = queries if leave_one_out else gallery
    train = None if train is None else torch.from_numpy(train)
    return apply_post_processing(
        [build_post(spec)], Embedded(queries, gallery, leave_one_out, train)
    )


def normalised(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def ranked(similarity, left_out=None):
    """Indices from the most similar on, without one."""
    order = [int(j) for j in np.argsort(-similarity, kind="stable")]
    return [j for j in order if j != left_out]


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("alpha", [0.0, 3.0])
def test_query_expansion(sides, kind, alpha):
    queries, gallery = sides[kind]
    expected = []
    for i, q in enumerate(queries):
        cosines = gallery @ q
        nearest = ranked(cosines, i if kind == "leave-one-out" else None)[:5]
        expected.append(q + sum(max(0, cosines[j]) ** alpha * gallery[j] for j in nearest))
    result = applied(f"aqe:5,alpha={alpha}", sides, kind)
    np.testing.assert_allclose(result.queries.numpy(), normalised(np.array(expected)), atol=1e-12)
    np.testing.assert_array_equal(result.gallery.numpy(), gallery)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("alpha", [0, 3])
def test_query_expansion_of_the_reference(sides, kind, alpha):
    """The own image is one of the neighbours, and similarities below 0 keep their sign."""
    queries, gallery = sides[kind]
    expected, negative = [], 0
    for q in queries:
        cosines = gallery @ q
        nearest = ranked(cosines)[:40]
        negative += (cosines[nearest] < 0).sum()
        expected.append(q + sum(cosines[j] ** alpha * gallery[j] for j in nearest))
    assert negative
    result = applied(f"aqe:40,alpha={alpha},rule=reference", sides, kind)
    np.testing.assert_allclose(result.queries.numpy(), normalised(np.array(expected)), atol=1e-12)
    np.testing.assert_array_equal(result.gallery.numpy(), gallery)


@pytest.mark.parametrize("kind", KINDS)
def test_database_augmentation_of_the_reference(sides, kind):
    queries, gallery = sides[kind]
    expected = [
        g + sum((gallery[j] @ g) ** 3 * gallery[j] for j in ranked(gallery @ g, i)[:40])
        for i, g in enumerate(gallery)
    ]
    result = applied("dba:40,weights=reference", sides, kind)
    np.testing.assert_allclose(result.gallery.numpy(), normalised(np.array(expected)), atol=1e-12)
    np.testing.assert_array_equal(result.queries.numpy(), queries)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("kind", KINDS)
def test_database_augmentation(sides, kind):
    queries, gallery = sides[kind]
    expected = [
        sum((1 - r / 4) * gallery[j] for r, j in enumerate([i, *ranked(gallery @ g, i)[:4]]))
        for i, g in enumerate(gallery)
    ]
    result = applied("dba:4", sides, kind)
    np.testing.assert_allclose(result.gallery.numpy(), normalised(np.array(expected)), atol=1e-12)
    np.testing.assert_array_equal(result.queries.numpy(), queries)


def reciprocal(order, i, k):
    """R(i, k): the k nearest and itself, as far as i is among theirs."""
    return {j for j in order[i][: k + 1] if i in order[j][: k + 1]}


def plain_k_reciprocal(queries, gallery, leave_one_out, k1, k2, weight, paper=False):
    x = gallery if leave_one_out else np.concatenate([queries, gallery])
    cosines = x @ x.T
    distance = 2 - 2 * cosines
    distance = distance / distance.max(axis=1, keepdims=True)
    order = [[i, *ranked(cosines[i], i)] for i in range(len(x))]
    v = np.zeros_like(distance)
    for i in range(len(x)):
        base = reciprocal(order, i, k1)
        members = set(base)
        for j in base:
            half = reciprocal(order, j, round(k1 / 2))
            excess = 3 * len(half & base) - 2 * len(half)
            if excess > 0 or (paper and excess == 0):
                members |= half
        for j in members:
            v[i, j] = np.exp(-distance[i, j])
        v[i] /= v[i].sum()
    v = np.array([v[order[i][:k2]].mean(axis=0) for i in range(len(x))])
    first = 0 if leave_one_out else len(queries)
    result = np.zeros((len(queries), len(gallery)))
    for i in range(len(queries)):
        for j in range(len(gallery)):
            a, b = v[i], v[first + j]
            jaccard = 1 - np.minimum(a, b).sum() / np.maximum(a, b).sum()
            result[i, j] = (1 - weight) * jaccard + weight * distance[i, first + j]
    return -result


@pytest.mark.slow
@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("k1", "k2", "weight"), [(8, 3, 0.3), (5, 1, 0.0), (3, 4, 1.0)])
@pytest.mark.parametrize("overlap", ["released", "paper"])
@pytest.mark.parametrize("images", ["all different", "with twins"])
def test_k_reciprocal(sides, kind, k1, k2, weight, overlap, images):
    queries, gallery = sides[kind]
    if images == "with twins":  # in the order of rows, each image first among its own
        gallery[20:50] = gallery[50:80] if kind == "leave-one-out" else gallery[:30]
        queries[:10] = gallery[5:15]
    leave_one_out, paper = kind == "leave-one-out", overlap == "paper"
    expected = plain_k_reciprocal(queries, gallery, leave_one_out, k1, k2, weight, paper)
    spec = f"k-reciprocal:{k1},k2={k2},weight={weight},overlap={overlap}"
    similarity = applied(spec, sides, kind)
    rows = torch.randperm(len(expected))
    np.testing.assert_allclose(similarity.rows(rows).numpy(), expected[rows], atol=1e-12)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("kind", KINDS)
def test_diffusion(sides, kind):
    queries, gallery = sides[kind]
    cosines = gallery @ gallery.T
    order = [ranked(cosines[i], i)[:5] for i in range(len(gallery))]  # k = 6 counts the image
    affinity = np.zeros_like(cosines)
    for i in range(len(gallery)):
        for j in order[i]:
            if i in order[j]:
                affinity[i, j] = max(0, cosines[i, j]) ** 3
    degree = affinity.sum(axis=1)
    scale = np.divide(1, np.sqrt(degree), where=degree > 0, out=np.zeros_like(degree))
    system = np.eye(len(gallery)) - 0.9 * scale[:, None] * affinity * scale
    start = np.zeros((len(queries), len(gallery)))
    for i, q in enumerate(queries):
        if kind == "leave-one-out":
            start[i, i] = 1
        else:
            for j in ranked(gallery @ q)[:4]:
                start[i, j] = max(0, gallery[j] @ q) ** 3
    expected = np.linalg.solve(system, start.T).T
    spec = "diffusion:6,query_neighbours=4,alpha=0.9,iterations=100"
    similarity = applied(spec, sides, kind)
    rows = torch.randperm(len(expected))
    np.testing.assert_allclose(similarity.rows(rows).numpy(), expected[rows], atol=1e-8)


@pytest.mark.parametrize("spec", ["aqe:3", "dba:3", "k-reciprocal:5,k2=2", "diffusion:5"])
@pytest.mark.parametrize("kind", KINDS)
def test_scores_equal_those_of_the_plain_similarities(sides, spec, kind, brute_force_of_similarity):
    leave_one_out = kind == "leave-one-out"
    queries, gallery = sides[kind]
    labels = np.arange(90) % 12
    sets = (labels, labels) if leave_one_out else (labels[:30], labels[30:])
    result = applied(spec, sides, kind)
    if isinstance(result, Embedded):
        similarity = (result.queries @ result.gallery.T).numpy()
    else:
        similarity = result.rows(torch.arange(len(queries))).numpy()
    expected = brute_force_of_similarity(similarity, *sets, leave_one_out)
    searched = None if leave_one_out else (gallery, sets[1])
    scores = evaluate_retrieval(queries, sets[0], gallery=searched, post=(spec,), ks=(1, 4))
    for name, values in expected.items():
        np.testing.assert_allclose(scores.per_query[name], values, atol=1e-9, err_msg=name)


def test_expansion_helps_only_by_other_images(clustered):
    """The query's own image is in the gallery; it must not come back as a positive."""
    rng = np.random.default_rng(0)
    x, labels = rng.standard_normal((200, 64)).astype(np.float32), np.arange(200) // 2
    chance = 100 / 199
    for spec in ("aqe:1", "dba:2", "k-reciprocal:5,k2=1", "diffusion:5"):
        result = evaluate_retrieval(x, labels, ks=(1,), post=(spec,))
        assert result.metrics["recall@1"] <= 10 * chance, spec


@pytest.mark.parametrize("spec", ["aqe:3", "dba:3", "k-reciprocal:6,k2=2", "diffusion:6"])
def test_order_of_images_changes_nothing(clustered, spec):
    x, labels = clustered(images=150, classes=15)
    order = np.random.default_rng(5).permutation(len(x))
    plain = evaluate_retrieval(x.astype(np.float64), labels, post=(spec,)).per_query["map"]
    turned = evaluate_retrieval(x[order].astype(np.float64), labels[order], post=(spec,))
    np.testing.assert_allclose(turned.per_query["map"][np.argsort(order)], plain, atol=1e-6)


@pytest.mark.parametrize("ties", ["pessimistic", "optimistic", "index"])
def test_given_similarities_with_ties(brute_force_of_similarity, clustered, ties):
    x, labels = clustered(images=120, classes=10)
    x[60:] = x[:60]  # the graph falls apart, and what it does not reach ties at 0
    spec = "diffusion:2"
    unit = torch.from_numpy(normalised(x.astype(np.float64)))
    similarity = apply_post_processing([build_post(spec)], Embedded(unit, unit, True))
    rows = similarity.rows(torch.arange(120)).numpy()
    expected = brute_force_of_similarity(rows, labels, labels, True, ties=ties)
    result = evaluate_retrieval(x.astype(np.float64), labels, post=(spec,), ties=ties, ks=(1, 4))
    for name, values in expected.items():
        np.testing.assert_allclose(result.per_query[name], values, atol=1e-9, err_msg=name)
