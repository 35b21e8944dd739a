"""Average precision beside VOC's own steps in exact fractions, scikit-learn's curve, invariants."""

from fractions import Fraction

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, precision_recall_curve

from lowlabel.classification import average_precision
from lowlabel.errors import InputError


def drawn(images=60, levels=None, seed=0):
    """Scores, with ties if there are few levels, and labels."""
    random = np.random.default_rng(seed)
    own = random.random(images) < 0.3
    own[0] = True
    scores = random.normal(size=images) + own
    return (scores if levels is None else np.round(scores * levels) / levels), own


def by_thresholds(scores, own):
    """VOC 2010's VOCap over one operating point for each different score, in exact fractions."""
    recall, precision = [Fraction(0)], [Fraction(0)]
    for threshold in sorted(set(scores.tolist()), reverse=True):
        taken = scores >= threshold
        hits = int((taken & own).sum())
        recall.append(Fraction(hits, int(own.sum())))
        precision.append(Fraction(hits, int(taken.sum())))
    recall.append(Fraction(1))
    precision.append(Fraction(0))
    for place in range(len(precision) - 2, -1, -1):
        precision[place] = max(precision[place], precision[place + 1])
    steps = range(1, len(recall))
    return sum((recall[i] - recall[i - 1]) * precision[i] for i in steps)


def of_curve(scores, own, weight=None):
    """The same area from scikit-learn's curve."""
    precision, recall, _ = precision_recall_curve(own, scores, sample_weight=weight)
    return -np.diff(recall) @ np.maximum.accumulate(precision[:-1])


CASES = [(None, 0), (None, 1), (3, 2), (1, 3), (1, 4)]


@pytest.mark.parametrize(("levels", "seed"), CASES)
def test_areas_are_those_of_the_definition(levels, seed):
    scores, own = drawn(levels=levels, seed=seed)
    found = average_precision(scores, own).value
    assert found == pytest.approx(float(by_thresholds(scores, own)), rel=1e-14)
    assert found == pytest.approx(of_curve(scores, own), rel=1e-12)


def test_it_is_not_the_sum_without_monotone_precision():
    scores, own = np.array([4.0, 3.0, 2.0, 1.0]), np.array([False, True, True, True])
    assert average_precision(scores, own).value == 0.75
    assert average_precision_score(own, scores) == pytest.approx((1 / 2 + 2 / 3 + 3 / 4) / 3)
    for seed in range(20):
        scores, own = drawn(seed=seed)
        assert average_precision(scores, own).value >= average_precision_score(own, scores) - 1e-12


@pytest.mark.parametrize(("levels", "seed"), [(None, 4), (None, 1), (3, 2), (1, 3), (1, 4)])
def test_the_influence_of_an_image_is_the_derivative_by_its_weight(levels, seed):
    scores, own = drawn(images=40, levels=levels, seed=seed)
    precision, _, _ = precision_recall_curve(own, scores)
    highest = precision[(precision == np.maximum.accumulate(precision)) & (precision < 1)]
    assert len(set(highest)) == len(highest)  # where two are equal there is no derivative
    found = average_precision(scores, own)
    step, each = 1e-6, []
    for image in range(len(own)):
        weight = np.ones(len(own))
        weight[image] += step
        heavier = of_curve(scores, own, weight)
        weight[image] -= 2 * step
        each.append((heavier - of_curve(scores, own, weight)) / (2 * step))
    np.testing.assert_allclose(found.influence, len(own) * np.array(each), atol=1e-4)
    assert found.influence.mean() == pytest.approx(0, abs=1e-12)


def test_the_order_of_images_changes_nothing_with_ties_or_without():
    for levels in (None, 1):
        scores, own = drawn(levels=levels)
        order = np.random.default_rng(9).permutation(len(own))
        one, other = average_precision(scores, own), average_precision(scores[order], own[order])
        assert one.value == pytest.approx(other.value, rel=1e-14)
        np.testing.assert_allclose(one.influence[order], other.influence, atol=1e-12)


def test_perfect_reversed_and_constant_scores():
    own = np.array([True, False, True, False, False])
    perfect = average_precision(own.astype(float), own)
    assert perfect.value == 1
    assert (perfect.influence == 0).all()
    assert average_precision(-own.astype(float), own).value == 2 / 5
    assert average_precision(np.full(5, 3.0), own).value == 2 / 5  # the share of the label
    assert average_precision(np.arange(5.0), np.ones(5, dtype=bool)).value == 1


def test_a_monotone_change_of_the_scores_changes_nothing():
    scores, own = drawn()
    assert average_precision(np.exp(3 * scores), own).value == average_precision(scores, own).value


@pytest.mark.parametrize(
    ("scores", "own", "message"),
    [
        ([1.0, 2.0], [True], r"shape \(2,\), has_label \(1,\)"),
        ([1.0, np.nan], [True, False], "NaN or infinite"),
        ([1.0, 2.0], [False, False], "none of 2 images has the label"),
    ],
)
def test_what_does_not_fit_is_said(scores, own, message):
    with pytest.raises(InputError, match=message):
        average_precision(np.array(scores), np.array(own))
