"""Every post-processing against a plain float64 version, and what chains and bad input do."""

import numpy as np
import pytest
import torch

from lowlabel.errors import InputError, UnknownNameError
from lowlabel.retrieval import evaluate_retrieval
from lowlabel.retrieval.post import POSTS, Embedded, apply_posts, build_post
from lowlabel.retrieval.ranking import nearest as neighbours


@pytest.fixture(params=[None, 300])
def small_blocks(request, monkeypatch):
    """Once with everything in one block, once in many."""
    if request.param:
        monkeypatch.setattr(neighbours, "_BLOCK_VALUES", request.param)


@pytest.fixture
def sides(clustered):
    """Unit rows of a leave-one-out set, and of queries with a gallery, in float64."""
    x, _ = clustered(images=90, classes=12, noise=1.0)
    unit = x.astype(np.float64) / np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True)
    return {"own": (unit, unit), "gallery": (unit[:30], unit[30:])}


def applied(spec, sides, kind, train=None):
    queries, gallery = (torch.from_numpy(side) for side in sides[kind])
    gallery = queries if kind == "own" else gallery
    train = None if train is None else torch.from_numpy(train)
    return apply_posts([build_post(spec)], Embedded(queries, gallery, kind == "own", train))


def normalised(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def ranked(similarity, left_out=None):
    """Indices from the most similar on, without one."""
    order = [int(j) for j in np.argsort(-similarity, kind="stable")]
    return [j for j in order if j != left_out]


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("kind", ["own", "gallery"])
@pytest.mark.parametrize("alpha", [0.0, 3.0])
def test_query_expansion(sides, kind, alpha):
    queries, gallery = sides[kind]
    expected = []
    for i, q in enumerate(queries):
        cosines = gallery @ q
        nearest = ranked(cosines, i if kind == "own" else None)[:5]
        expected.append(q + sum(max(0, cosines[j]) ** alpha * gallery[j] for j in nearest))
    result = applied(f"aqe:5,alpha={alpha}", sides, kind)
    np.testing.assert_allclose(result.queries.numpy(), normalised(np.array(expected)), atol=1e-12)
    np.testing.assert_array_equal(result.gallery.numpy(), gallery)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("kind", ["own", "gallery"])
def test_database_augmentation(sides, kind):
    queries, gallery = sides[kind]
    expected = [
        sum((1 - r / 4) * gallery[j] for r, j in enumerate([i, *ranked(gallery @ g, i)[:4]]))
        for i, g in enumerate(gallery)
    ]
    result = applied("dba:4", sides, kind)
    np.testing.assert_allclose(result.gallery.numpy(), normalised(np.array(expected)), atol=1e-12)
    np.testing.assert_array_equal(result.queries.numpy(), queries)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("covariance", ["centred", "reference"])
@pytest.mark.parametrize(("dimensions", "power"), [(24, 0.5), (7, 0.5), (7, 0.25)])
def test_whitening(sides, covariance, dimensions, power):
    train = normalised(np.random.default_rng(3).standard_normal((60, 24)) + 0.5)
    mean = train.mean(axis=0) if covariance == "centred" else np.zeros(24)
    values, vectors = np.linalg.eigh((train - mean).T @ (train - mean) / 60)
    values = np.maximum(values, 1e-5 * values.max())
    queries, gallery = sides["gallery"]
    spec = f"whiten:{dimensions},covariance={covariance},power={power}"
    result = applied(spec, sides, "gallery", train)
    for ours, rows in ((result.queries, queries), (result.gallery, gallery)):
        turned = ((rows - mean) @ vectors * values**-power)[:, ::-1][:, :dimensions]
        expected = normalised(turned)  # up to the sign of each eigenvector
        np.testing.assert_allclose(ours @ ours.T, expected @ expected.T, atol=1e-9)
        np.testing.assert_allclose(abs(ours.numpy()), abs(expected), atol=1e-8)


def test_whitened_training_images_are_white():
    train = normalised(np.random.default_rng(3).standard_normal((500, 8)) * np.arange(1, 9))
    whitening = build_post("whiten")
    mean, projection = whitening._learn(torch.from_numpy(train))
    white = (train - mean.numpy()) @ projection.numpy()
    np.testing.assert_allclose(white.T @ white / 500, np.eye(8), atol=1e-9)


def reciprocal(order, i, k):
    """R(i, k): the k nearest and itself, as far as i is among theirs."""
    return {j for j in order[i][: k + 1] if i in order[j][: k + 1]}


def plain_k_reciprocal(queries, gallery, own, k1, k2, weight):
    x = gallery if own else np.concatenate([gallery, queries])
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
            if 3 * len(half & base) >= 2 * len(half):
                members |= half
        for j in members:
            v[i, j] = np.exp(-distance[i, j])
        v[i] /= v[i].sum()
    v = np.array([v[order[i][:k2]].mean(axis=0) for i in range(len(x))])
    first = 0 if own else len(gallery)
    result = np.zeros((len(queries), len(gallery)))
    for i in range(len(queries)):
        for j in range(len(gallery)):
            a, b = v[first + i], v[j]
            jaccard = 1 - np.minimum(a, b).sum() / np.maximum(a, b).sum()
            result[i, j] = (1 - weight) * jaccard + weight * distance[first + i, j]
    return -result


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("kind", ["own", "gallery"])
@pytest.mark.parametrize(("k1", "k2", "weight"), [(8, 3, 0.3), (5, 1, 0.0), (3, 4, 1.0)])
def test_k_reciprocal(sides, kind, k1, k2, weight):
    expected = plain_k_reciprocal(*sides[kind], kind == "own", k1, k2, weight)
    similarity = applied(f"k-reciprocal:{k1},k2={k2},weight={weight}", sides, kind)
    rows = torch.randperm(len(expected))
    np.testing.assert_allclose(similarity.rows(rows).numpy(), expected[rows], atol=1e-12)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("kind", ["own", "gallery"])
def test_diffusion(sides, kind):
    queries, gallery = sides[kind]
    cosines = gallery @ gallery.T
    order = [ranked(cosines[i], i)[:6] for i in range(len(gallery))]
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
        if kind == "own":
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
@pytest.mark.parametrize("own", [True, False])
def test_scores_equal_those_of_the_plain_similarities(sides, spec, own, brute_force_of_similarity):
    kind = "own" if own else "gallery"
    queries, gallery = sides[kind]
    labels = np.arange(90) % 12
    sets = (labels, labels) if own else (labels[:30], labels[30:])
    result = applied(spec, sides, kind)
    if isinstance(result, Embedded):
        similarity = (result.queries @ result.gallery.T).numpy()
    else:
        similarity = result.rows(torch.arange(len(queries))).numpy()
    expected = brute_force_of_similarity(similarity, *sets, own)
    scores = evaluate_retrieval(
        queries, sets[0], gallery=None if own else (gallery, sets[1]), post=(spec,), ks=(1, 4)
    )
    for name, values in expected.items():
        np.testing.assert_allclose(scores.per_query[name], values, atol=1e-9, err_msg=name)


def test_chain_is_applied_in_order(clustered):
    x, labels = clustered(images=200, classes=20)
    train = np.random.default_rng(9).standard_normal((100, 24)).astype(np.float32)

    def scores(*post):
        return evaluate_retrieval(x, labels, train=train, post=post).metrics["map"]

    plain = scores()
    both, swapped = scores("whiten:12", "aqe:4"), scores("aqe:4", "whiten:12")
    assert len({plain, both, swapped, scores("whiten:12"), scores("aqe:4")}) == 5
    assert scores("dba:4", "aqe:4") > plain


def test_expansion_helps_only_by_other_images(clustered):
    """The query's own image is in the gallery; it must not come back as a positive."""
    rng = np.random.default_rng(0)
    x, labels = rng.standard_normal((200, 64)).astype(np.float32), np.arange(200) // 2
    chance = 100 / 199
    for spec in ("aqe:1", "dba:2", "k-reciprocal:5,k2=1", "diffusion:5"):
        result = evaluate_retrieval(x, labels, ks=(1,), post=(spec,))
        assert result.metrics["recall@1"] <= 10 * chance, spec


@pytest.mark.parametrize("spec", ["aqe:3", "dba:3", "k-reciprocal:5", "diffusion:5"])
def test_constant_embeddings_score_nothing(spec):
    x, labels = np.ones((60, 8), np.float32), np.arange(60) // 6
    assert evaluate_retrieval(x, labels, ks=(1,), post=(spec,)).metrics["recall@1"] <= 100 / 6


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
    similarity = apply_posts([build_post(spec)], Embedded(unit, unit, True))
    rows = similarity.rows(torch.arange(120)).numpy()
    expected = brute_force_of_similarity(rows, labels, labels, True, ties=ties)
    result = evaluate_retrieval(x.astype(np.float64), labels, post=(spec,), ties=ties, ks=(1, 4))
    for name, values in expected.items():
        np.testing.assert_allclose(result.per_query[name], values, atol=1e-9, err_msg=name)


def test_canonical_specs():
    assert build_post("aqe").spec == "aqe:10"
    assert build_post("whiten").spec == "whiten"
    assert build_post("whiten:64,covariance=reference").spec == "whiten:64,covariance=reference"
    assert build_post("k-reciprocal,weight=0.5").spec == "k-reciprocal:20,weight=0.5"
    for kind in POSTS.values():
        assert kind.__doc__


@pytest.mark.parametrize(
    ("post", "train", "message"),
    [
        (("whiten:8",), None, "learns from training images and there are none"),
        (("whiten:8",), np.ones((40, 12)), "training images have 12 dimensions"),
        (("whiten:8",), "few", "15 training images for 24 dimensions"),
        (("whiten:25",), "other", "whiten:25 of features that have 24"),
        (("whiten:8",), "test", "100 of the 100 images searched are among"),
        (("whiten:8,covariance=mean",), "other", "covariance=mean is not possible"),
        (("aqe:100",), None, "100 neighbours .* 99 images"),
        (("aqe:0",), None, "must be at least 1"),
        (("aqe:ten",), None, "must be a whole number"),
        (("aqe:3,beta=1",), None, "no option 'beta'"),
        (("k-reciprocal:4,k2=9",), None, "k2=9 of k-reciprocal must be at most"),
        (("diffusion:5", "aqe:2"), None, "aqe:2 needs embeddings, and diffusion:5 gives"),
        (("aqe:2", "diffusion:5"), None, "takes a query for its own image"),
        (("dba:2", "k-reciprocal:5"), None, "takes a query for its own image"),
        (("diffusion:5,alpha=1",), None, "alpha=1.0 of diffusion"),
    ],
)
def test_bad_input(clustered, post, train, message):
    x, labels = clustered(images=100, classes=10)
    rng = np.random.default_rng(1)
    trains = {
        "few": rng.standard_normal((15, 24)),
        "other": rng.standard_normal((50, 24)),
        "test": np.concatenate([x, rng.standard_normal((50, 24)).astype(np.float32)]),
    }
    train = trains[train] if isinstance(train, str) else train
    with pytest.raises(InputError, match=message):
        evaluate_retrieval(x, labels, post=post, train=train)


def test_unknown_names(clustered):
    x, labels = clustered(images=100, classes=10)
    with pytest.raises(UnknownNameError, match=r"unknown post-processing 'qe'"):
        evaluate_retrieval(x, labels, post=("qe:10",))
