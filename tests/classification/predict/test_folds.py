"""Folds of cross-validation: stratified, balanced, and with no group on both sides."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lowlabel.classification.predict.folds import ALWAYS, stratified_folds


@st.composite
def labelled(draw):
    sizes = draw(st.lists(st.integers(1, 12), min_size=2, max_size=6))
    classes = np.repeat(np.arange(len(sizes)), sizes)
    return np.random.default_rng(draw(st.integers(0, 99))).permutation(classes)


@settings(max_examples=60, deadline=None)
@given(labelled(), st.integers(2, 6), st.integers(0, 9))
def test_every_class_is_spread_evenly_and_a_single_image_is_always_learned(classes, folds, seed):
    found = stratified_folds(classes, None, folds, seed)
    for label in np.unique(classes):
        own = found[classes == label]
        if len(own) == 1:
            assert own.tolist() == [ALWAYS]
            continue
        count = min(folds, np.bincount(classes).max())
        counts = np.bincount(own, minlength=count)
        assert len(counts) == count
        assert counts.max() - counts.min() <= 1


@settings(max_examples=60, deadline=None)
@given(labelled(), st.integers(2, 5), st.integers(1, 8), st.integers(0, 9))
def test_no_group_is_on_both_sides_and_every_scored_class_can_be_learned(
    classes, folds, group_count, seed
):
    groups = np.random.default_rng(seed).integers(0, group_count, len(classes))
    found = stratified_folds(classes, groups, folds, seed)
    for group in np.unique(groups):
        assert len(set(found[groups == group]) - {ALWAYS}) <= 1
    for number in set(found) - {ALWAYS}:
        left = classes[found != number]
        assert set(classes[found == number]) <= set(left)


def test_the_seed_decides_and_nothing_else():
    classes = np.repeat(np.arange(4), 10)
    first = stratified_folds(classes, None, 5, 3)
    assert (first == stratified_folds(classes, None, 5, 3)).all()
    assert (first != stratified_folds(classes, None, 5, 4)).any()


@pytest.mark.parametrize("groups", [None, np.arange(3)])
def test_classes_of_one_image_give_no_folds(groups):
    assert (stratified_folds(np.arange(3), groups, 5, 0) == ALWAYS).all()
