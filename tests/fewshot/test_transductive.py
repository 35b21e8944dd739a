"""Transductive methods against plain float64 versions, easyfsl, and what must not matter."""

import numpy as np
import pytest
import torch

from lowlabel.errors import InputError
from lowlabel.fewshot import METHODS, build_method, evaluate_fewshot
from lowlabel.fewshot.base_statistics import BaseStatistics
from lowlabel.fewshot.prototypes import neighbour_mask, squared_distances
from lowlabel.fewshot.solvers.sinkhorn import balance

QUICK = ",iterations=60,rate=0.01"
SPECS = [
    "bd-cspn",
    "bd-cspn,norm=cl2n,scale=3.0",
    "laplacianshot",
    "laplacianshot,norm=l2n,smoothness=2.0",
    f"tim{QUICK}",
    f"alpha-tim{QUICK}",
    "pt-map",
    "pt-map,beta=1.0",
    "soft-kmeans",
    "soft-kmeans,norm=l2n,iterations=3",
    "label-propagation",
    "label-propagation,norm=l2n,neighbours=4",
]


def run(features, labels, method, **options):
    return evaluate_fewshot(features, labels, method=method, device="cpu", **options)


@pytest.fixture(scope="module")
def novel(novel):
    """Non-negative features, which the power transform needs."""
    return np.abs(novel[0]), novel[1]


@pytest.fixture(scope="module")
def base(base):
    return np.abs(base[0]), base[1]


def unit(x):
    norms = np.linalg.norm(x, axis=-1, keepdims=True)
    return x / np.where(norms == 0, 1, norms)


def softmax(x):
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def means_of(support, labels):
    return np.stack([support[labels == way].mean(0) for way in range(labels.max() + 1)])


def distances(a, b):
    return np.array([[((x - y) ** 2).sum() for y in b] for x in a])


def rectified(support, labels, query, scale):
    means = means_of(support, labels)
    moved = query + support.mean(0) - query.mean(0)
    given = (unit(moved) @ unit(means).T).argmax(1)
    points, owners = np.concatenate([support, moved]), np.concatenate([labels, given])
    weights = np.exp(scale * (unit(points) @ unit(means).T))
    return np.stack(
        [
            np.average(points[owners == way], axis=0, weights=weights[owners == way, way])
            for way in range(len(means))
        ]
    )


def bd_cspn(support, labels, query, scale=10.0):
    return (unit(query) @ unit(rectified(support, labels, query, scale)).T).argmax(1)


def laplacianshot(support, labels, query, smoothness=0.7):
    unary = -distances(query, rectified(support, labels, query, 10.0))
    apart = distances(query, query) + np.diag(np.full(len(query), np.inf))
    near = np.zeros_like(apart)
    for i, row in enumerate(apart):
        near[i, np.argsort(row)[:3]] = 1
    assigned = softmax(unary)
    for _ in range(20):
        assigned = softmax(unary + smoothness * near @ assigned)
    return assigned.argmax(1)


def information(alpha, marginal):
    """TIM by autograd and torch's own Adam on the losses as the papers print them."""

    def entropy(p):
        if alpha is None:
            return -(p * (p + 1e-12).log()).sum(-1)
        return (1 - (p**alpha).sum(-1)) / (alpha - 1)

    def predict(support, labels, query):
        support, query = torch.tensor(unit(support)), torch.tensor(unit(query))
        known = torch.tensor(labels)
        weights = torch.tensor(means_of(support.numpy(), labels), requires_grad=True)
        adam = torch.optim.Adam([weights], lr=0.01)
        for _ in range(60):
            logits = [-7.5 * torch.cdist(x, weights) ** 2 for x in (support, query)]
            p = logits[1].softmax(1)
            loss = torch.nn.functional.cross_entropy(logits[0], known)
            loss = loss - marginal * entropy(p.mean(0)) + entropy(p).mean()
            adam.zero_grad()
            loss.backward()
            adam.step()
        return (-torch.cdist(query, weights)).argmax(1).numpy()

    return predict


def sinkhorn(costs, scale):
    plan = np.exp(-scale * costs)
    for _ in range(5000):
        plan /= plan.sum(1, keepdims=True)
        excess = plan.sum(0) * plan.shape[1] / len(plan)
        plan /= excess
        if np.abs(excess - 1).max() < 1e-8:
            break
    return plan / plan.sum(1, keepdims=True)


def pt_map(support, labels, query, beta=0.5):
    support, query = (unit((x + 1e-6) ** beta if beta != 1 else x) for x in (support, query))
    support, query = unit(support - support.mean(0)), unit(query - query.mean(0))
    points, known = np.concatenate([support, query]), np.eye(labels.max() + 1)[labels]
    means = means_of(support, labels)
    for _ in range(20):
        weights = np.concatenate([known, sinkhorn(distances(query, means), 10.0)])
        means = means + 0.2 * (weights.T @ points / weights.sum(0)[:, None] - means)
    return sinkhorn(distances(query, means), 10.0).argmax(1)


def soft_kmeans(support, labels, query, iterations=30):
    points, known = np.concatenate([support, query]), np.eye(labels.max() + 1)[labels]
    means = means_of(support, labels)
    for _ in range(iterations):
        weights = np.concatenate([known, softmax(-5 * distances(query, means))])
        means = weights.T @ points / weights.sum(0)[:, None]
    return distances(query, means).argmin(1)


def label_propagation(support, labels, query, neighbours=20):
    points = np.concatenate([support, query])
    apart = distances(points, points) + np.diag(np.full(len(points), np.inf))
    near = np.argsort(np.argsort(apart)) < neighbours
    weights = np.where(near | near.T, np.exp(-apart / (2 * 0.25**2)), 0)
    root = np.sqrt(weights.sum(1))
    spread = np.eye(len(points)) - 0.5 * weights / root[:, None] / root
    start = np.eye(labels.max() + 1)[labels]
    start = np.concatenate([start, np.zeros((len(query), start.shape[1]))])
    return np.linalg.solve(spread, start)[len(support) :].argmax(1)


@pytest.mark.parametrize("shots", [1, 5])
@pytest.mark.parametrize(
    ("method", "transform", "predict"),
    [
        ("bd-cspn", "none", bd_cspn),
        ("bd-cspn,norm=cl2n,scale=3", "cl2", lambda *task: bd_cspn(*task, scale=3.0)),
        ("laplacianshot", "cl2", laplacianshot),
        ("laplacianshot,norm=l2n,smoothness=2", "l2", lambda *task: laplacianshot(*task, 2.0)),
        (f"tim{QUICK}", "none", information(None, 10)),
        (f"alpha-tim{QUICK}", "none", information(5, 1)),
        (f"alpha-tim,alpha=2{QUICK}", "none", information(2, 1)),
        ("pt-map", "none", pt_map),
        ("pt-map,beta=1", "none", lambda *task: pt_map(*task, beta=1)),
        ("soft-kmeans", "cl2", soft_kmeans),
        ("soft-kmeans,norm=l2n,iterations=3", "l2", lambda *task: soft_kmeans(*task, 3)),
        ("label-propagation", "cl2", label_propagation),
        ("label-propagation,norm=l2n,neighbours=4", "l2", lambda *t: label_propagation(*t, 4)),
    ],
)
def test_each_task_scores_what_a_plain_loop_finds(
    novel, base, oracle, method, transform, predict, shots
):
    features, labels = novel
    exact = features.astype(np.float64)
    if transform == "cl2":
        exact = exact - base[0].astype(np.float64).mean(0)
    exact = exact if transform == "none" else unit(exact)
    expected = oracle(exact, labels, predict, shots=shots, tasks=12)
    result = run(features, labels, method, base=base, shots=shots, tasks=12)
    assert 25 < expected.mean() < 95
    assert np.abs(result.accuracies - expected).mean() < 0.15


def test_no_method_is_another_one(novel, base):
    runs = [run(*novel, spec, base=base, shots=5, tasks=40).accuracies for spec in SPECS]
    assert len({accuracies.tobytes() for accuracies in runs}) == len(SPECS)


@pytest.mark.parametrize("shots", [1, 5])
def test_bd_cspn_is_that_of_easyfsl(novel, oracle, shots):
    methods = pytest.importorskip("easyfsl.methods")

    def predict(support, labels, query):
        model = methods.BDCSPN()
        model.process_support_set(torch.tensor(support), torch.tensor(labels))
        return model(torch.tensor(query)).argmax(1).numpy()

    expected = oracle(*novel, predict, shots=shots, tasks=50)
    result = run(*novel, "bd-cspn,scale=1", shots=shots, tasks=50)
    assert np.abs(result.accuracies - expected).mean() < 0.1


@pytest.mark.parametrize("shots", [1, 5])
def test_laplacianshot_is_that_of_easyfsl_but_for_a_query_being_its_own_neighbour(
    novel, oracle, shots
):
    """easyfsl asks for k nearest, drops the first, which is the query itself, and has k - 1."""
    methods = pytest.importorskip("easyfsl.methods")

    def predict(support, labels, query):
        model = methods.LaplacianShot(knn=4, feature_normalization=2.0)
        model.process_support_set(torch.tensor(support).float(), torch.tensor(labels))
        return model(torch.tensor(query).float()).argmax(1).numpy()

    expected = oracle(*novel, predict, shots=shots, tasks=50)
    result = run(*novel, "laplacianshot,norm=l2n,scale=1", shots=shots, tasks=50)
    assert np.abs(result.accuracies - expected).mean() < 0.1


@pytest.mark.parametrize("shots", [1, 5])
def test_pt_map_is_that_of_easyfsl_on_features_it_does_not_underflow_on(novel, oracle, shots):
    """easyfsl leaves out the scaling and the centring, so it is given features that have both."""
    methods = pytest.importorskip("easyfsl.methods")

    class OnPreparedFeatures(methods.PTMAP):
        def compute_features(self, images):
            prepared = unit((images.numpy() + 1e-6) ** 0.5)
            return torch.tensor(unit(prepared - prepared.mean(0)))

    def predict(support, labels, query):
        model = OnPreparedFeatures(fine_tuning_steps=20)
        model.process_support_set(torch.tensor(support), torch.tensor(labels))
        return model(torch.tensor(query)).argmax(1).numpy()

    expected = oracle(*novel, predict, shots=shots, tasks=25)
    result = run(*novel, "pt-map", shots=shots, tasks=25)
    assert np.abs(result.accuracies - expected).mean() < 0.15


def test_pt_map_does_not_underflow_on_dense_features():
    random = np.random.default_rng(0)
    labels = np.arange(8).repeat(30)
    features = 50 + random.random((8, 64))[labels] + 0.2 * random.random((240, 64))
    for scale in (10, 1000):
        assert run(features, labels, f"pt-map,scale={scale}", tasks=30).mean > 99


def test_pt_map_refuses_negative_features(novel):
    with pytest.raises(InputError, match=r"lowest is -3.*\n.*pt-map,beta=1"):
        run(novel[0] - 3, novel[1], "pt-map", tasks=3)
    assert run(novel[0] - 3, novel[1], "pt-map,beta=1", tasks=3).tasks == 3


def task(width=24, ways=4, shots=3, queries=30):
    random = torch.Generator().manual_seed(3)
    centers = torch.rand(2, ways, 1, width, generator=random)
    support = centers + 0.6 * torch.rand(2, ways, shots, width, generator=random)
    drawn = torch.randint(0, ways, (2, queries), generator=random)
    query = centers[torch.arange(2)[:, None], drawn, 0]
    return support, query + 0.6 * torch.rand(2, queries, width, generator=random)


def predictions(spec, support, query):
    method = build_method(spec)
    base = BaseStatistics(torch.full((1, support.shape[-1]), 0.3), np.zeros(1, np.int64))
    known, asked = (method.transform(x.flatten(0, -2), base).view_as(x) for x in (support, query))
    return method.scores(known, asked, base)


@pytest.mark.parametrize("spec", SPECS)
def test_the_order_of_classes_queries_and_images_does_not_matter(spec):
    support, query = task()
    random = torch.Generator().manual_seed(4)
    ways, shots, queries = (torch.randperm(n, generator=random) for n in (4, 3, 30))
    expected = predictions(spec, support, query).argmax(-1)
    assert expected.unique().numel() == 4
    turned = predictions(spec, support[:, ways][:, :, shots], query[:, queries]).argmax(-1)
    assert torch.equal(ways[turned], expected[:, queries])


@pytest.mark.parametrize("spec", SPECS)
def test_the_queries_help_each_other(spec):
    support, query = task()
    alone = torch.cat([predictions(spec, support, q) for q in query.split(15, 1)], 1)
    together = predictions(spec, support, query)
    assert METHODS[spec.split(",")[0]].transductive
    assert not torch.allclose(alone - alone[..., :1], together - together[..., :1], rtol=1e-3)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("ways", [2, 5, 20])
@pytest.mark.parametrize("width", [3, 37, 384])
def test_classes_of_the_same_support_score_exactly_the_same(spec, ways, width):
    random = torch.Generator().manual_seed(width)
    image = torch.rand(3, 1, 1, width, generator=random)
    query = torch.rand(3, 25, width, generator=random)
    scores = predictions(spec, image.repeat(1, ways, 3, 1), query)
    assert (scores == scores[..., :1]).all()


@pytest.mark.parametrize("method", SPECS)
@pytest.mark.parametrize("value", [0.0, 0.1, 1000 / 3])
def test_constant_embeddings_score_exactly_chance(method, value):
    labels = np.arange(6).repeat(25)
    features = np.full((len(labels), 37), value, dtype=np.float32)
    for ways, shots, queries in ((5, 1, 15), (5, 5, 15), (3, 3, 7)):
        options = {"ways": ways, "shots": shots, "queries": queries, "tasks": 20}
        result = run(features, labels, method, base=(features + 0.3, labels), **options)
        assert (result.accuracies == 100 / ways).all()


@pytest.mark.parametrize("method", SPECS)
@pytest.mark.parametrize("shots", [1, 5])
def test_perfect_embeddings_score_exactly_100(method, shots):
    labels = np.arange(6).repeat(25)
    features = np.eye(6)[labels]
    result = run(features, labels, method, base=(features, labels), shots=shots, tasks=20)
    assert (result.accuracies == 100).all()


@pytest.mark.parametrize("method", SPECS)
def test_a_single_class_is_always_right(novel, base, method):
    assert (run(*novel, method, base=base, ways=1, tasks=5).accuracies == 100).all()


@pytest.mark.parametrize("method", SPECS)
def test_blocks_change_nothing(novel, base, method):
    whole, *parts = (
        run(*novel, method, base=base, tasks=20, task_block=block).accuracies
        for block in (20, 1, 7, None)
    )
    for part in parts:
        assert np.abs(part - whole).max() < 1.4  # at most one query at a class's border


@pytest.mark.parametrize("scale", [1.0, 10.0, 30.0])
def test_balance_finds_the_plan_of_plain_sinkhorn(scale):
    random = torch.Generator().manual_seed(0)
    costs = torch.rand(6, 4, 20, generator=random, dtype=torch.float64)
    logits = -scale * costs
    plan = (logits + balance(logits, torch.zeros_like(costs[..., :1]))).softmax(1)
    assert torch.allclose(plan.sum(2), torch.full((6, 4), 5.0, dtype=torch.float64), rtol=1e-5)
    expected = np.stack([sinkhorn(c.T.numpy(), scale).T for c in costs])
    assert np.abs(plan.numpy() - expected).max() < 1e-4


def test_balance_does_not_depend_on_the_start():
    logits = 20 * torch.rand(5, 3, 12, dtype=torch.float64, generator=torch.Generator())
    plans = [
        (logits + balance(logits, start)).softmax(1)
        for start in (torch.zeros(5, 3, 1), 9 * torch.rand(5, 3, 1))
    ]
    assert torch.allclose(*plans, atol=1e-5)


def test_neighbours_are_others_and_ties_are_all_in():
    points = torch.tensor([[0.0], [1.0], [-1.0], [5.0]])[None]
    near = neighbour_mask(squared_distances(points), 1)[0].T
    assert near.int().tolist() == [[0, 1, 1, 0], [1, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0]]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("bd-cspn,scale=0", "scale=0.0 of bd-cspn must be positive"),
        ("bd-cspn,norm=l1", "norm=l1 is not possible for bd-cspn"),
        ("laplacianshot,neighbours=0", "neighbours=0 of laplacianshot must be positive"),
        ("laplacianshot,neighbours=2.5", "must be a whole number"),
        ("tim,temperature=-1", "temperature=-1.0 of tim must be positive"),
        ("tim,iterations=0", "iterations=0 of tim must be positive"),
        ("alpha-tim,alpha=1", "alpha=1.0 of alpha-tim must be above 1"),
        ("pt-map,rate=0", "rate=0.0 of pt-map must be positive"),
        ("soft-kmeans,iterations=-3", "iterations=-3 of soft-kmeans must be positive"),
        ("label-propagation,alpha=1.0", "alpha=1.0 of label-propagation must be below 1"),
    ],
)
def test_options_that_are_not_possible(spec, message):
    with pytest.raises(InputError, match=message):
        build_method(spec)


def test_too_few_queries_for_the_neighbours(novel):
    with pytest.raises(InputError, match=r"needs 3 other queries .* has 2 queries in all"):
        run(*novel, "laplacianshot,norm=l2n", ways=2, queries=1, tasks=2)
