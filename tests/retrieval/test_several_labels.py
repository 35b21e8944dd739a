"""Images with several labels, beside brute force in float64 and the single-label evaluation."""

import numpy as np
import pytest

from lowlabel.errors import InputError
from lowlabel.retrieval import evaluate_retrieval, evaluate_several_labels

KS = (1, 3)


def drawn(images, labels=6, width=5, seed=0):
    random = np.random.default_rng(seed)
    sets = random.random((images, labels)) < 0.25
    sets[np.arange(images), random.integers(0, labels, images)] = True
    return random.normal(size=(images, width)), sets


def brute(features, sets, gallery, gallery_sets, hidden):
    """Scores of each query, by sorting its whole row; NaN for a query without a positive."""
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (features, gallery)]
    scores = []
    for cosine, own, absent in zip(unit[0] @ unit[1].T, sets, hidden, strict=True):
        order = [row for row in np.argsort(-cosine) if row not in absent]
        hit = np.array([bool((gallery_sets[row] & own).any()) for row in order])
        count = hit.sum()
        if not count:
            scores.append([np.nan] * 4)
            continue
        precision = np.cumsum(hit) / np.arange(1, len(hit) + 1)
        scores.append(
            [
                hit[:1].any(),
                hit[:3].any(),
                (precision * hit)[:count].sum() / count,
                (precision * hit).sum() / count,
            ]
        )
    return 100 * np.array(scores, dtype=float)


def check(result, expected):
    scored = ~np.isnan(expected[:, 0])
    np.testing.assert_array_equal(result.query_index, np.flatnonzero(scored))
    assert result.lone == np.sum(~scored)
    for name, values in zip(("recall@1", "recall@3", "map@r", "map"), expected.T, strict=True):
        np.testing.assert_allclose(result.per_query[name], values[scored], rtol=1e-12)
        assert result.metrics[name] == pytest.approx(values[scored].mean())


@pytest.mark.parametrize("seed", range(3))
def test_each_image_among_the_others(seed):
    features, sets = drawn(40, seed=seed)
    sets[0] = False
    sets = np.column_stack([sets, np.arange(40) == 0])  # the first shares nothing
    result = evaluate_several_labels(features, sets, ks=KS)
    check(result, brute(features, sets, features, sets, [{row} for row in range(40)]))
    assert result.lone == 1


def test_queries_in_a_gallery():
    features, sets = drawn(20)
    gallery, of_gallery = drawn(50, seed=1)
    result = evaluate_several_labels(features, sets, gallery=(gallery, of_gallery), ks=KS)
    check(result, brute(features, sets, gallery, of_gallery, [set()] * 20))


def test_images_of_the_own_group_are_absent():
    features, sets = drawn(40)
    groups = np.arange(40) // 5
    result = evaluate_several_labels(
        features, sets, ks=KS, groups=groups, ignore_same_group=True, interval="groups"
    )
    hidden = [set(np.flatnonzero(groups == group)) for group in groups]
    check(result, brute(features, sets, features, sets, hidden))
    assert all("groups" in kinds for kinds in result.intervals.values())


@pytest.mark.parametrize("ties", ["pessimistic", "optimistic"])
def test_one_label_each_is_the_retrieval_of_classes(ties):
    random = np.random.default_rng(0)
    features = np.repeat(random.normal(size=(30, 4)), 2, axis=0)  # with ties
    labels = random.integers(0, 8, 60)
    ours = evaluate_several_labels(features, np.eye(8)[labels], ks=KS, ties=ties)
    theirs = evaluate_retrieval(features, labels, ks=KS, ties=ties)
    assert ours.metrics == pytest.approx(theirs.metrics, rel=1e-12)
    for name, values in theirs.per_query.items():
        np.testing.assert_allclose(ours.per_query[name], values, rtol=1e-12)
    for name in ("map", "map@r"):
        assert ours.intervals[name]["classes"].half_width == pytest.approx(
            theirs.intervals[name]["classes"].half_width
        )


def test_the_order_of_images_and_labels_changes_nothing():
    features, sets = drawn(40)
    order = np.random.default_rng(1).permutation(40)
    first = evaluate_several_labels(features, sets, ks=KS).metrics
    again = evaluate_several_labels(features[order], sets[order][:, ::-1], ks=KS).metrics
    assert first == pytest.approx(again, rel=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": np.zeros((40, 3), bool)}, "40 of 40 images have no label"),
        ({"labels": np.full((40, 3), 2)}, "other values than 0 and 1"),
        ({"labels": np.ones(40)}, r"labels have the shape \(40,\), not \(40, number of labels\)"),
        ({"ks": (40,)}, "ks"),
        ({"ignore_same_group": True}, "needs groups"),
        ({"interval": "groups"}, "needs the group of each query"),
        ({"labels": np.eye(40)}, "none of the 40 queries has an image to find"),
    ],
)
def test_what_does_not_fit_is_said(change, message):
    features, sets = drawn(40)
    arguments = {"labels": sets, "ks": KS, **change}
    with pytest.raises(InputError, match=message):
        evaluate_several_labels(features, **arguments)
