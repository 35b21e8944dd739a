"""Tasks in which no group is on both sides."""

import numpy as np
import pytest

from lowlabel.errors import ClassError, InputError
from lowlabel.fewshot import evaluate_fewshot
from lowlabel.fewshot.grouped import sampler as module
from lowlabel.fewshot.grouped.sampler import GroupSampler, most_excluded

RNG = np.random.default_rng(0)
LABELS = np.repeat(np.arange(6), 24)[RNG.permutation(144)]
BURSTS = 10 * LABELS + RNG.integers(0, 8, 144)  # within classes
PATIENTS = RNG.integers(0, 30, 144)  # across classes


def draw(groups, tasks=400, seed=0, block=10_000, ways=3, shots=2, queries=4, **options):
    sampler = GroupSampler(LABELS, groups, ways, shots, queries, **options)
    blocks = list(sampler.blocks(tasks, seed, block))
    joined = (
        np.concatenate([getattr(each, name) for each in blocks])
        for name in ("support", "query", "query_ways")
    )
    return (sampler, *joined)


@pytest.mark.parametrize("sorted_decks", [False, True])
@pytest.mark.parametrize("distribution", ["balanced", "dirichlet"])
@pytest.mark.parametrize("groups", [BURSTS, PATIENTS])
def test_no_group_is_on_both_sides_of_a_task(monkeypatch, groups, distribution, sorted_decks):
    monkeypatch.setattr(module, "_MOST_PICKS", 0 if sorted_decks else 128)
    _, support, query, ways = draw(groups, distribution=distribution)
    for labelled, asked, way in zip(support, query, ways, strict=True):
        assert not {*groups[labelled].ravel()} & {*groups[asked]}
        assert len({*asked}) == len(asked) == 12
        assert len({*labelled.ravel()}) == labelled.size
        assert (LABELS[labelled] == LABELS[labelled[:, :1]]).all()
        assert (LABELS[asked] == LABELS[labelled[way, 0]]).all()
        if distribution == "balanced":
            assert np.bincount(way).tolist() == [4, 4, 4]


@pytest.mark.parametrize("sorted_decks", [False, True])
def test_support_and_queries_are_drawn_uniformly(monkeypatch, sorted_decks):
    """Of a class of groups of 1, 2 and 3, one shot: queries as counted by hand."""
    monkeypatch.setattr(module, "_MOST_PICKS", 0 if sorted_decks else 128)
    labels, groups = np.repeat([0, 1], 6), np.tile([0, 1, 1, 2, 2, 2], 2) + np.repeat([0, 9], 6)
    tasks = 20_000
    (drawn,) = GroupSampler(labels, groups, 2, 1, 1).blocks(tasks, 0, tasks)
    first = labels[drawn.support[:, 0, 0]] == 0
    shot = np.where(first, drawn.support[:, 0, 0], drawn.support[:, 1, 0])
    asked = np.where(first, drawn.query[:, 0], drawn.query[:, 1])
    counts = np.zeros((6, 6))
    np.add.at(counts, (shot, asked), 1)
    for image in range(6):
        others = groups[:6] != groups[image]
        expected = np.where(others, 1 / 6 / others.sum(), 0)
        tolerance = 5 * np.sqrt(expected * (1 - expected) / tasks) + 1e-12
        assert (np.abs(counts[image] / tasks - expected) <= tolerance).all()


def test_a_longer_run_begins_with_the_tasks_of_a_shorter_one_in_blocks_of_any_size():
    _, *short = draw(PATIENTS, tasks=50, block=7)
    _, *long = draw(PATIENTS, tasks=400)
    assert all(np.array_equal(a, b[:50]) for a, b in zip(short, long, strict=True))


@pytest.mark.parametrize("groups", [BURSTS, PATIENTS])
def test_what_a_support_can_exclude_is_bounded_as_by_hand(groups):
    bounds = most_excluded(LABELS, groups, 3, 2)
    for label, bound in enumerate(bounds):
        own = groups[label == LABELS]
        sizes = sorted((np.sum(own == g) for g in {*own}), reverse=True)
        shared = bool({*own} & {*groups[label != LABELS]})
        assert bound == sum(sizes[: 6 if shared else 2])


def test_a_class_with_too_few_groups_is_named_with_what_it_has():
    groups = np.where(LABELS == 2, 7, 1000 + np.arange(144))
    with pytest.raises(ClassError) as error:
        GroupSampler(LABELS, groups, 3, 1, 4)
    assert "class 2 has 24 images and can lose 24 of them" in error.value.message
    assert "--set fewshot.groups=mixed" in error.value.hint


@pytest.fixture
def embedded():
    """Images whose direction is mostly that of their group: a group on both sides is found."""
    rng = np.random.default_rng(1)
    labels = np.repeat(np.arange(8), 40)
    groups = 100 * labels + np.tile(np.repeat(np.arange(10), 4), 8)
    of_group = rng.standard_normal((800, 32))[groups]
    return (of_group + 0.1 * rng.standard_normal((320, 32))).astype(np.float32), labels, groups


def test_a_score_without_leaking_groups_is_that_of_chance(embedded):
    x, labels, groups = embedded
    options = {"shots": 1, "queries": 15, "tasks": 400, "interval": "tasks", "device": "cpu"}
    mixed = evaluate_fewshot(x, labels, groups=groups, **options)
    apart = evaluate_fewshot(x, labels, groups=groups, groups_apart=True, **options)
    assert mixed.mean > apart.mean + 3
    assert abs(apart.mean - 20) < 3
    assert mixed.task_hash == evaluate_fewshot(x, labels, **options).task_hash != apart.task_hash


@pytest.mark.parametrize("apart", [False, True])
def test_the_interval_over_groups_halves_groups(embedded, apart):
    x, labels, groups = embedded
    options = {"queries": 5, "tasks": 60, "device": "cpu", "groups_apart": apart}
    result = evaluate_fewshot(x, labels, groups=groups, interval="groups", **options)
    interval = result.intervals["groups"]
    assert interval.half_width == result.ci95 > 0
    assert "half-sampling of groups of images" in result.ci95_definition
    same = evaluate_fewshot(x, labels, groups=groups, interval="images", **options)
    assert same.ci95 == pytest.approx(result.ci95)


def test_tasks_in_halves_keep_groups_apart_too(monkeypatch, embedded):
    from lowlabel.fewshot.grouped.halves import GroupedHalves
    from lowlabel.fewshot.halves import Halves

    _, labels, groups = embedded
    halves = Halves.draw(labels, groups, 3, seed=0)
    grouped = GroupedHalves(halves, groups, 3, 1, "balanced", 0)
    room = grouped.room()
    assert room > 0
    blocks = list(grouped.blocks(20, room, 8))
    assert sum(len(numbers) for numbers, _ in blocks) == 6 * 20
    drawn = []
    for numbers, episodes in blocks:
        drawn += zip(numbers, episodes.support, episodes.query, strict=True)
    for place, (number, support, query) in enumerate(drawn):
        assert number == place % 20
        assert not {*groups[support].ravel()} & {*groups[query]}
        images = {*halves.rows.reshape(6, -1)[place // 20]}
        assert {*support.ravel(), *query} <= images
        assert (labels[support[:, 0]] == labels[drawn[place % 20][1][:, 0]]).all()


def test_groups_that_are_missing_are_asked_for(embedded):
    x, labels, _ = embedded
    with pytest.raises(InputError, match="groups_apart needs the group of each image"):
        evaluate_fewshot(x, labels, groups_apart=True)
    with pytest.raises(InputError, match="interval='groups' needs the group"):
        evaluate_fewshot(x, labels, interval="groups")
