"""What holds for every method; `dc` and `dc-sslvit`, which sample, have their own file."""

import numpy as np
import pytest
import torch

from lowlabel.fewshot import METHODS, build_method
from lowlabel.fewshot.base_statistics import BaseStatistics

INDUCTIVE = [
    "ncm",
    "ncm,norm=l2n",
    "ncm,norm=cl2n",
    "cosine",
    "logreg",
    "logreg,norm=l2",
    "ridge",
    "ridge,norm=l2",
    "svm",
    "svm,norm=l2",
]
QUICK = ",iterations=60,rate=0.01"
TRANSDUCTIVE = [
    "bd-cspn",
    "bd-cspn,norm=none,scale=3.0",
    "bd-cspn,norm=none,rectification=paper",
    "laplacianshot",
    "laplacianshot,norm=l2n,smoothness=2.0",
    "laplacianshot,norm=l2n,rectification=paper",
    f"tim{QUICK}",
    f"alpha-tim{QUICK}",
    "pt-map",
    "pt-map,beta=1.0",
    "soft-kmeans",
    "soft-kmeans,norm=l2n,iterations=3",
    "label-propagation",
    "label-propagation,norm=l2n,neighbours=4",
]
SPECS = INDUCTIVE + TRANSDUCTIVE


def task(width=24, ways=4, shots=3, queries=30):
    """Support and queries of two tasks, non-negative."""
    random = torch.Generator().manual_seed(3)
    centers = torch.rand(2, ways, 1, width, generator=random)
    support = centers + 0.6 * torch.rand(2, ways, shots, width, generator=random)
    drawn = torch.randint(0, ways, (2, queries), generator=random)
    query = centers[torch.arange(2)[:, None], drawn, 0]
    return support, query + 0.6 * torch.rand(2, queries, width, generator=random)


def scores(spec, support, query):
    method = build_method(spec)
    base = BaseStatistics(torch.full((1, support.shape[-1]), 0.3), np.zeros(1, np.int64))
    support, query = (method.transform(x.flatten(0, -2), base).view_as(x) for x in (support, query))
    return method.scores(support, query, base)


def test_the_specs_cover_every_method():
    assert {spec.split(",")[0] for spec in SPECS} | {"dc", "dc-sslvit"} == set(METHODS)


@pytest.mark.parametrize("method", INDUCTIVE)
def test_rotations_and_the_order_of_dimensions_do_not_matter(novel, base, run, method):
    random = np.random.default_rng(0)
    rotation = np.linalg.qr(random.normal(size=(24, 24)))[0]
    expected = run(*novel, method, base=base, shots=3, tasks=100).accuracies
    for turn in (rotation, np.eye(24)[random.permutation(24)]):
        turned, turned_base = novel[0] @ turn, base[0] @ turn
        result = run(turned, novel[1], method, base=(turned_base, base[1]), shots=3, tasks=100)
        assert np.abs(result.accuracies - expected).mean() < 0.1


@pytest.mark.parametrize("spec", SPECS)
def test_the_order_of_classes_queries_and_images_does_not_matter(spec):
    support, query = task()
    random = torch.Generator().manual_seed(4)
    ways, shots, queries = (torch.randperm(n, generator=random) for n in (4, 3, 30))
    expected = scores(spec, support, query).argmax(-1)
    assert expected.unique().numel() == 4
    turned = scores(spec, support[:, ways][:, :, shots], query[:, queries]).argmax(-1)
    assert torch.equal(ways[turned], expected[:, queries])


@pytest.mark.parametrize("spec", SPECS)
def test_queries_matter_to_each_other_in_transductive_methods_alone(spec):
    support, query = task()
    alone = torch.cat([scores(spec, support, q) for q in query.split(15, 1)], 1)
    together = scores(spec, support, query)
    independent = torch.allclose(
        alone - alone[..., :1], together - together[..., :1], rtol=1e-3, atol=1e-5
    )
    assert independent is not build_method(spec).transductive


def test_no_method_is_another_one(non_negative, run):
    novel, base = non_negative.novel, non_negative.base
    runs = [run(*novel, spec, base=base, shots=5, tasks=50).accuracies for spec in SPECS]
    assert len({accuracies.tobytes() for accuracies in runs}) == len(SPECS)


@pytest.mark.slow
@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("width", [3, 37, 384])
@pytest.mark.parametrize("ways", [2, 5, 20])
def test_classes_of_the_same_support_score_exactly_the_same(spec, ways, width):
    random = torch.Generator().manual_seed(width)
    image = torch.randn(8, 1, 1, width, generator=random)
    query = torch.randn(8, 25, width, generator=random)
    if build_method(spec).needs_non_negative:
        image, query = image.abs(), query.abs()
    found = scores(spec, image.repeat(1, ways, 3, 1), query)
    assert (found == found[..., :1]).all()


@pytest.mark.slow
@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("value", [0.0, 0.1, 1000 / 3])
@pytest.mark.parametrize(("ways", "shots", "queries"), [(5, 1, 15), (5, 5, 15), (3, 3, 7)])
def test_constant_embeddings_score_exactly_chance(run, spec, value, ways, shots, queries):
    labels = np.arange(6).repeat(25)
    features = np.full((150, 37), value, dtype=np.float32)
    options = {"ways": ways, "shots": shots, "queries": queries, "tasks": 40}
    result = run(features, labels, spec, base=(features + 0.3, labels), **options)
    assert (result.accuracies == 100 / ways).all()


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("shots", [1, 5])
def test_perfect_embeddings_score_exactly_100(run, spec, shots):
    labels = np.arange(6).repeat(25)
    features = np.eye(6)[labels]
    result = run(features, labels, spec, base=(features, labels), shots=shots, tasks=40)
    assert (result.accuracies == 100).all()


@pytest.mark.parametrize("spec", SPECS)
def test_a_single_class_is_always_right(non_negative, run, spec):
    novel, base = non_negative.novel, non_negative.base
    assert (run(*novel, spec, base=base, ways=1, tasks=20).accuracies == 100).all()


@pytest.mark.slow
@pytest.mark.parametrize("spec", SPECS)
def test_blocks_change_nothing(non_negative, run, spec):
    novel, base = non_negative.novel, non_negative.base
    whole, *parts = (
        run(*novel, spec, base=base, tasks=20, task_block=block) for block in (20, 1, 7, None)
    )
    for part in parts:
        assert part.task_hash == whole.task_hash
        difference = np.abs(part.accuracies - whole.accuracies)
        assert difference.max() < 1.4  # at most one query at a class's border
