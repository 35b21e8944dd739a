"""Methods that read labelled images by blocks find what they find in copies."""

import numpy as np
import pytest

from lowlabel import lazy_rows
from lowlabel.classification import evaluate_label_budget
from lowlabel.classification.budget import by_blocks, few_shot

CLOSED = ("ncm", "ncm,norm=l2", "ncm,norm=cl2n", "cosine", "ridge", "ridge,norm=l2,alpha=100.0")
ITERATED = ("logreg", "logreg,norm=l2")
GATHERED = ("knn", "linear-cached,epochs=3", "linear-cached,recipe=dinov2,iterations=10")


def clusters(images, seed, width=8, classes=5):
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(9).normal(size=(classes, width))
    labels = random.integers(0, classes, images)
    features = 0.8 * centres[labels] + random.normal(size=(images, width)) + 0.5
    return features.astype(np.float32), labels


@pytest.fixture(scope="module")
def sets():
    return *clusters(400, 1), *clusters(200, 2)


def scored(sets, methods):
    base = clusters(100, 3)
    budgets = (20, "50%", "100%")
    options = {"budgets": budgets, "draws": 2, "base": base, "device": "cpu"}
    return evaluate_label_budget(*sets, methods=methods, **options)


@pytest.fixture
def small_blocks(monkeypatch):
    def use():
        monkeypatch.setattr(few_shot, "_MOST_COPIED", 0)
        monkeypatch.setattr(lazy_rows, "MOST_BYTES", 0)
        monkeypatch.setattr(by_blocks, "_BLOCK_ROWS", 37)

    return use


@pytest.mark.parametrize("method", CLOSED + ITERATED)
def test_the_classifier_is_the_same_but_for_rounding(sets, small_blocks, method):
    expected = scored(sets, method)
    small_blocks()
    found = scored(sets, method)
    for ours, theirs in zip(found.results, expected.results, strict=True):
        assert ours.task_hash == theirs.task_hash
        changed = np.flatnonzero(ours.values["top1"] != theirs.values["top1"])
        assert len(changed) <= 1  # an image between two classes


@pytest.mark.parametrize("method", GATHERED)
def test_rows_that_are_gathered_give_the_same_numbers(sets, small_blocks, method):
    expected = scored(sets, method)
    small_blocks()
    found = scored(sets, method)
    for ours, theirs in zip(found.results, expected.results, strict=True):
        for name, values in theirs.values.items():
            np.testing.assert_array_equal(ours.values[name], values, err_msg=name)


def test_lengths_that_float32_cannot_resolve_side_by_side(sets, small_blocks):
    features, labels, *test = sets
    lengths = 2.0 ** np.where(labels % 2, 70, 0)[:, None]
    apart = (features * lengths).astype(np.float32), labels, *test
    expected = scored(apart, "ncm,norm=none")
    small_blocks()
    found = scored(apart, "ncm,norm=none")
    for ours, theirs in zip(found.results, expected.results, strict=True):
        assert ours.metrics["top1"] == pytest.approx(theirs.metrics["top1"], abs=0.51)


def test_what_would_not_fit_as_copies_is_scored_by_blocks(sets, monkeypatch):
    monkeypatch.setattr(few_shot, "MOST_BYTES", 10_000)
    monkeypatch.setattr(few_shot, "_MOST_COPIED", 10_000)
    methods = (*CLOSED, *ITERATED, "svm")
    found = scored(sets, methods)
    assert {method for _, method in found.left_out} == {"svm"}
    assert {each.budget for each in found.results} == {"20", "50%", "100%"}
