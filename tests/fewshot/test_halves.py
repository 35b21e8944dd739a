"""Splits of the images into halves, and the same tasks in both."""

import numpy as np
import pytest

from lowlabel.fewshot.episodes import EpisodeSampler
from lowlabel.fewshot.halves import Halves, differences

SIZES = (12, 7, 9)
LABELS = np.random.default_rng(0).permutation(np.repeat([4, 7, 30], SIZES))


def draw(labels=LABELS, units=None, splits=6, seed=3):
    return Halves.draw(labels, np.arange(len(labels)) if units is None else units, splits, seed)


def test_halves_share_no_image_and_leave_out_the_odd_one():
    halves = draw()
    assert halves.rows.shape == (6, 2, 6 + 3 + 4)
    assert halves.sizes.tolist() == [6, 3, 4]
    for split in halves.rows:
        assert len(np.unique(split)) == split.size
        for half in split:
            np.testing.assert_array_equal(LABELS[half], np.array([4, 7, 30])[halves.labels])


def test_more_splits_begin_with_the_same_and_another_seed_gives_others():
    np.testing.assert_array_equal(draw(splits=9).rows[:6], draw().rows)
    assert not np.array_equal(draw(seed=4).rows, draw().rows)


def test_every_image_falls_into_both_halves_about_equally_often():
    first = np.bincount(draw(splits=2000).rows[:, 0].ravel(), minlength=len(LABELS)) / 2000
    expected = np.array([6 / 12, 3 / 7, 4 / 9])[np.searchsorted([4, 7, 30], LABELS)]
    assert np.abs(first - expected).max() < 0.06  # five standard errors


@pytest.mark.parametrize("sizes", [(3, 3, 3, 3), (5, 1, 4, 2, 2)])
def test_no_group_lies_in_both_halves(sizes):
    units = np.concatenate([np.repeat(np.arange(len(sizes)) + 10 * c, sizes) for c in range(3)])
    labels = np.repeat(np.arange(3), sum(sizes))
    halves = draw(labels, units, splits=40)
    for split in halves.rows:
        first, second = (set(units[half]) for half in split)
        assert not first & second
        assert len(np.unique(split)) == split.size
    if len(set(sizes)) == 1:
        assert halves.sizes.tolist() == [6, 6, 6]


def test_groups_of_several_classes_are_divided_by_class():
    labels = np.repeat([0, 1], 8)
    halves = draw(labels, np.tile(np.arange(4).repeat(2), 2))
    assert halves.sizes.tolist() == [4, 4]


def test_a_class_of_one_group_has_no_halves():
    halves = draw(np.repeat([0, 1], 6), np.repeat([0, 1, 2], [6, 3, 3]))
    assert halves.sizes.tolist() == [0, 3]


@pytest.mark.parametrize("block", [1, 7, 1000])
def test_both_halves_of_every_split_have_the_same_tasks(block):
    halves = draw()
    (drawn,) = EpisodeSampler(halves.labels, 2, 1, 2).blocks(5, 0, 5)
    blocks = list(halves.blocks(drawn, block))
    numbers = np.concatenate([tasks for tasks, _ in blocks])
    support = np.concatenate([episodes.support for _, episodes in blocks])
    query = np.concatenate([episodes.query for _, episodes in blocks])
    ways = np.concatenate([episodes.query_ways for _, episodes in blocks])
    at = 0
    for split in halves.rows:
        for half in split:
            for task in range(5):
                assert numbers[at] == task
                np.testing.assert_array_equal(support[at], half[drawn.support[task]])
                np.testing.assert_array_equal(query[at], half[drawn.query[task]])
                np.testing.assert_array_equal(ways[at], drawn.query_ways[task])
                at += 1
    assert at == len(numbers)


def test_differences_are_first_half_minus_second():
    accuracies = np.arange(12.0) ** 2
    expected = [
        [accuracies[6 * s + t] - accuracies[6 * s + 3 + t] for t in range(3)] for s in (0, 1)
    ]
    np.testing.assert_array_equal(differences(accuracies, 3), expected)
