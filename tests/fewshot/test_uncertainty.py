"""The kinds of intervals of a few-shot mean: formulas, invariants, coverage."""

import math

import numpy as np
import pytest
from scipy import stats

from lowlabel.errors import InputError, UnknownNameError
from lowlabel.fewshot import METHODS, build_method, evaluate_fewshot, half_tasks
from lowlabel.fewshot.episodes import EpisodeSampler
from lowlabel.fewshot.halves import Halves

RUN = {"ways": 3, "queries": 4, "tasks": 30, "device": "cpu"}


@pytest.fixture
def clusters():
    """Six classes of 14 images, which overlap."""
    random = np.random.default_rng(0)
    labels = random.permutation(np.repeat(np.arange(6), 14))
    centres = random.normal(size=(6, 8))
    return centres[labels] + 1.2 * random.normal(size=(len(labels), 8)), labels


def nearest_centroid(features, episodes):
    """Accuracy of each task by loops in float64."""
    found = []
    for support, query, ways in zip(
        episodes.support, episodes.query, episodes.query_ways, strict=True
    ):
        means = features[support].mean(1)
        nearest = [np.argmin([((x - mean) ** 2).sum() for mean in means]) for x in features[query]]
        found.append(100 * np.mean(np.array(nearest) == ways))
    return np.array(found)


def of_rows(drawn, rows):
    return type(drawn)(rows[drawn.support], rows[drawn.query], drawn.query_ways)


def test_the_interval_over_images_is_that_of_a_slow_loop(clusters):
    features, labels = clusters
    result = evaluate_fewshot(features, labels, shots=2, seed=5, **RUN)
    halves = Halves.draw(labels, np.arange(len(labels)), 48, 5)
    (drawn,) = EpisodeSampler(halves.labels, 3, 2, 4).blocks(30, 5, 30)
    total, d = 0.0, []
    for first, second in halves.rows:
        difference = nearest_centroid(features, of_rows(drawn, first)) - nearest_centroid(
            features, of_rows(drawn, second)
        )
        d.append(difference)
        total += difference.mean() ** 2 - difference.var(ddof=1) / 30
    accuracies = result.accuracies
    variance = max(0, total / 48 / 4) + accuracies.var(ddof=1) / 30
    interval = result.intervals["images"]
    np.testing.assert_allclose(interval.replicates, d, atol=1e-9)
    assert interval.half_width == pytest.approx(stats.t.ppf(0.975, 24) * math.sqrt(variance))
    assert result.ci95 == interval.half_width
    assert result.ci95_definition == interval.definition
    assert "half-sampling of images, 48 splits × 30 tasks" in interval.definition


def test_the_interval_over_classes_is_that_of_a_slow_loop(clusters):
    features, labels = clusters
    result = evaluate_fewshot(features, labels, interval="classes", **RUN)
    (episodes,) = EpisodeSampler(labels, 3, 1, 4).blocks(30, 0, 30)
    drawn = labels[episodes.support[:, :, 0]]
    without = np.array(
        [result.accuracies[[c not in task for task in drawn]].mean() for c in range(6)]
    )
    variance = 5 / 6 * ((without - without.mean()) ** 2).sum()
    assert result.ci95 == pytest.approx(stats.t.ppf(0.975, 5) * math.sqrt(variance))
    np.testing.assert_allclose(result.intervals["classes"].replicates, without)


def test_the_open_interval_is_students_t_of_its_own_tasks(clusters):
    features, labels = clusters
    result = evaluate_fewshot(features, labels, interval="open", **RUN)
    assert "disjoint tasks of 1 query per class" in result.ci95_definition
    tasks = int(result.ci95_definition.split(" over ")[1].split()[0])
    assert 12 <= tasks <= 14  # 84 images, six for each
    assert 0 < result.ci95 < 100


@pytest.mark.parametrize("name", ["tasks", "normal", "student-t"])
def test_the_interval_over_tasks_has_older_names_and_costs_nothing(clusters, name):
    told = []
    result = evaluate_fewshot(
        *clusters, interval=name, progress=lambda *done: told.append(done), **RUN
    )
    assert result.intervals.keys() == {"tasks", "classes"}
    assert told[-1] == (30, 30)
    quantile = stats.t.ppf(0.975, 29) if name == "student-t" else 1.96
    assert result.ci95 == pytest.approx(quantile * stats.sem(result.accuracies))


def test_progress_counts_the_tasks_in_halves(clusters):
    told = []
    evaluate_fewshot(*clusters, progress=lambda *done: told.append(done), **RUN)
    assert told[-1] == (30 + 2 * 48 * 30,) * 2
    assert (half_tasks(48, 10_000), half_tasks(24, 10_000)) == (19_200, 9_600)


def test_the_number_of_splits_is_fixed_for_each_method():
    iterated = {
        *("logreg", "svm", "dc", "dc-sslvit", "laplacianshot", "tim", "alpha-tim", "pt-map"),
        "soft-kmeans",
    }
    for name, method in METHODS.items():
        assert method.from_options({}).splits == (24 if name in iterated else 48), name


def test_splits_of_an_iterated_method_are_the_first_of_the_others(clusters):
    """On features that both classify alike, the differences are the same."""
    features, labels = clusters
    far = features + 100 * np.eye(8)[labels]
    far[::9] = far[0]
    found = [
        evaluate_fewshot(far, labels, method=build_method(method), **RUN).intervals["images"]
        for method in ("ncm", "svm")
    ]
    ours, theirs = (interval.replicates for interval in found)
    assert (len(ours), len(theirs)) == (48, 24)
    assert np.corrcoef(ours[:24].ravel(), theirs.ravel())[0, 1] > 0.7


def test_perfect_embeddings_have_an_interval_of_zero():
    labels = np.repeat(np.arange(6), 14)
    result = evaluate_fewshot(np.eye(6)[labels], labels, **RUN)
    assert {kind: each.half_width for kind, each in result.intervals.items()} == dict.fromkeys(
        ("tasks", "classes", "images"), 0.0
    )


def test_a_longer_run_has_the_same_splits_and_begins_with_the_same_tasks(clusters):
    short, long = (
        evaluate_fewshot(*clusters, **RUN | {"tasks": tasks}).intervals["images"].replicates
        for tasks in (12, 30)
    )
    np.testing.assert_array_equal(long[:, :12], short)


def test_renamed_classes_and_blocks_change_nothing(clusters):
    features, labels = clusters
    first, second = (
        evaluate_fewshot(features, labels + shift, task_block=block, **RUN)
        for shift, block in ((0, None), (100, 7))
    )
    for kind in ("tasks", "classes", "images"):
        assert first.intervals[kind].half_width == pytest.approx(second.intervals[kind].half_width)


def test_groups_take_the_place_of_images(clusters):
    """Images of a group are alike: an interval that takes them for images is too narrow."""
    random, labels = np.random.default_rng(1), np.repeat(np.arange(6), 40)
    groups = np.arange(240) // 5
    centres = random.normal(size=(6, 8))
    shared = 1.2 * random.normal(size=(48, 8))
    features = centres[labels] + shared[groups] + 0.1 * random.normal(size=(240, 8))
    run = RUN | {"tasks": 200}
    by_image = evaluate_fewshot(features, labels, **run)
    by_group = evaluate_fewshot(features, labels, groups=groups, **run)
    assert by_group.ci95 > 1.4 * by_image.ci95
    assert "half-sampling of groups of images" in by_group.ci95_definition
    alone = evaluate_fewshot(features, labels, groups=np.arange(240) + 7, **run)
    assert alone.ci95 == by_image.ci95


@pytest.mark.parametrize(("shots", "queries", "tasks"), [(3, 4, 30), (5, 2, 60), (6, 1, 120)])
def test_small_classes_have_fewer_queries_in_halves_and_more_tasks(clusters, shots, queries, tasks):
    interval = evaluate_fewshot(*clusters, **RUN | {"shots": shots}).intervals["images"]
    assert f"48 splits × {tasks} tasks" in interval.definition
    assert interval.replicates.shape == (48, tasks)
    fewer = f"; {queries} instead of 4 queries per class in a half"
    assert interval.definition.endswith(fewer) == (queries < 4)


def test_what_has_no_interval_says_why(clusters):
    features, labels = clusters
    small = evaluate_fewshot(features, labels, **RUN | {"shots": 7})
    assert math.isnan(small.ci95)
    assert small.ci95_definition == (
        "over images: 16 images of each class are needed, but class 0 has 14"
    )
    grouped = evaluate_fewshot(features, labels, groups=labels, **RUN)
    assert "class 0 has 14, whose groups make halves of 0" in grouped.ci95_definition
    every = evaluate_fewshot(features, labels, interval="classes", **RUN | {"ways": 6})
    assert math.isnan(every.ci95)
    assert every.ci95_definition == "over classes: 6 ways of 6 leave none out"
    one = evaluate_fewshot(features, labels, **RUN | {"tasks": 1})
    assert math.isnan(one.ci95)
    assert one.ci95_definition == "over images: a single task"
    few = evaluate_fewshot(features, labels, interval="open", **RUN | {"ways": 6, "shots": 9})
    assert math.isnan(few.ci95)
    assert few.ci95_definition == "over disjoint tasks: the images give 1"


def test_what_is_no_interval_and_no_groups(clusters):
    with pytest.raises(UnknownNameError, match="Did you mean images"):
        evaluate_fewshot(*clusters, interval="image")
    with pytest.raises(InputError, match="groups have the shape"):
        evaluate_fewshot(*clusters, groups=np.arange(3), **RUN)


@pytest.mark.slow
def test_coverage_of_fresh_images_of_the_same_classes():
    """In 40 worlds of known truth; the interval over tasks misses most of it."""
    random = np.random.default_rng(0)
    centres = random.normal(size=(10, 6))

    def world(images):
        labels = np.repeat(np.arange(10), images)
        return centres[labels] + 1.5 * random.normal(size=(len(labels), 6)), labels

    options = {"queries": 5, "device": "cpu"}
    truth = evaluate_fewshot(*world(2000), tasks=10_000, interval="tasks", **options).mean
    held = {"images": 0, "tasks": 0}
    for _ in range(40):
        result = evaluate_fewshot(*world(16), tasks=600, **options)
        for kind in held:
            held[kind] += abs(result.mean - truth) < result.intervals[kind].half_width
    assert held["images"] >= 34
    assert held["tasks"] <= 26
