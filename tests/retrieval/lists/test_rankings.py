"""Scores of ranked lists: those of the embeddings that they come from, and by brute force."""

import numpy as np
import pytest

from lowlabel.errors import InputError
from lowlabel.retrieval import (
    evaluate_copies,
    evaluate_copies_ranking,
    evaluate_ranking,
    evaluate_retrieval,
    evaluate_revisited,
    evaluate_revisited_ranking,
)


def unit(random, rows, width=6):
    features = random.normal(size=(rows, width))
    return features / np.linalg.norm(features, axis=1, keepdims=True)


def searched(queries, gallery, *, leave_one_out=False):
    """All images by float64 cosine, with their scores."""
    cosines = queries @ gallery.T
    order = np.argsort(-cosines, axis=1, kind="stable")
    if leave_one_out:
        order = order[order != np.arange(len(order))[:, None]].reshape(len(order), -1)
    return order, np.take_along_axis(cosines, order, 1)


@pytest.fixture
def data():
    random = np.random.default_rng(3)
    queries, gallery = unit(random, 24), unit(random, 60)
    return queries, np.arange(24) % 4, gallery, np.arange(60) % 5


def same(found, expected):
    assert found.metrics == pytest.approx(expected.metrics)
    assert {*found.per_query} == {*expected.per_query}
    for name, values in expected.per_query.items():
        np.testing.assert_allclose(found.per_query[name], values)
    assert found.ci95 == pytest.approx(expected.ci95, nan_ok=True)


@pytest.mark.parametrize("with_scores", [False, True])
def test_a_search_gives_the_scores_of_its_embeddings(data, with_scores):
    queries, labels, gallery, gallery_labels = data
    lists, scores = searched(queries, gallery)
    found = evaluate_ranking(
        lists,
        labels,
        gallery_labels=gallery_labels,
        scores=scores if with_scores else None,
        map_at=(10,),
    )
    same(
        found, evaluate_retrieval(queries, labels, gallery=(gallery, gallery_labels), map_at=(10,))
    )


@pytest.mark.parametrize("own", [False, True])
def test_leave_one_out_with_the_querys_own_image_or_without(data, own):
    _, _, gallery, labels = data
    lists, _ = searched(gallery, gallery, leave_one_out=not own)
    same(evaluate_ranking(lists, labels), evaluate_retrieval(gallery, labels))


def test_groups_are_ignored_as_among_embeddings(data):
    _, _, gallery, labels = data
    groups = np.arange(60) // 6
    lists, _ = searched(gallery, gallery, leave_one_out=True)
    options = {"groups": groups, "ignore_same_group": True, "interval": "groups"}
    same(evaluate_ranking(lists, labels, **options), evaluate_retrieval(gallery, labels, **options))


def brute_force(lists, labels, gallery_labels, k):
    """Recall@k and MAP@R of lists of any length, by their definitions."""
    recall, map_r = [], []
    for row, label in zip(lists, labels, strict=True):
        right = gallery_labels[row[row >= 0]] == label
        total = (gallery_labels == label).sum()
        if total:
            recall.append(right[:k].any())
            places = np.flatnonzero(right[:total])
            map_r.append(((np.arange(len(places)) + 1) / (places + 1)).sum() / total)
    return 100 * np.mean(recall), 100 * np.mean(map_r)


@pytest.mark.parametrize("ties", ["pessimistic", "optimistic", "index"])
def test_what_short_lists_lack_is_missed(data, ties):
    queries, labels, gallery, gallery_labels = data
    lists, _ = searched(queries, gallery)
    lists = lists[:, :9].copy()
    lists[5, 6:] = -1
    found = evaluate_ranking(
        lists, labels, gallery_labels=gallery_labels, ks=(1, 6), ties=ties
    ).metrics
    recall, map_r = brute_force(lists, labels, gallery_labels, 6)
    assert found["recall@6"] == pytest.approx(recall)
    assert found["map@r"] == pytest.approx(map_r)
    assert not {"map", "mrr"} & {*found}
    whole = evaluate_retrieval(queries, labels, gallery=(gallery, gallery_labels)).metrics
    assert found["map@r"] <= whole["map@r"]


def test_equal_scores_are_ties():
    """Both queries list a negative and their positive with one score."""
    lists, scores = [[0, 1, 2], [1, 0, 2]], [[3.0, 3.0, 1.0]] * 2
    options = {"gallery_labels": [5, 7, 9], "scores": scores, "ks": (1,)}
    of = {
        ties: evaluate_ranking(lists, [7, 7], ties=ties, **options).metrics["recall@1"]
        for ties in ("pessimistic", "optimistic", "index")
    }
    assert of == {"pessimistic": 0.0, "optimistic": 100.0, "index": 0.0}
    options["scores"] = None
    assert evaluate_ranking(lists, [7, 7], **options).metrics["recall@1"] == 50.0


def truth(random, queries, images):
    rows = [random.permutation(images)[:12] for _ in range(queries)]
    return [
        {"easy": row[:3].tolist(), "hard": row[3:7].tolist(), "junk": row[7:].tolist()}
        for row in rows
    ]


@pytest.mark.parametrize("ties", ["pessimistic", "optimistic", "index"])
def test_landmarks_have_the_scores_of_their_embeddings(data, ties):
    queries, _, gallery, _ = data
    gallery = gallery.copy()
    gallery[40:50] = gallery[:10]  # ties
    distractors = np.concatenate([gallery[5:15], unit(np.random.default_rng(8), 20)])
    judged = truth(np.random.default_rng(1), 24, 60)
    cosines = np.round(queries @ np.concatenate([gallery, distractors]).T, 12)
    lists = np.argsort(-cosines, axis=1, kind="stable")
    scores = np.take_along_axis(cosines, lists, 1)
    found = evaluate_revisited_ranking(
        lists, judged, images=60, distractors=30, scores=scores, ties=ties
    )
    same(found, evaluate_revisited(queries, gallery, judged, distractors=distractors, ties=ties))


def test_short_lists_of_landmarks_lose_what_they_lack(data):
    queries, _, gallery, _ = data
    judged = truth(np.random.default_rng(1), 24, 60)
    lists, _ = searched(queries, gallery)
    short = evaluate_revisited_ranking(lists[:, :20], judged, images=60).per_query
    for query in range(24):
        positive, ignored = judged[query]["easy"], judged[query]["hard"] + judged[query]["junk"]
        left = [row for row in lists[query, :20] if row not in ignored]
        ranks = [place for place, row in enumerate(left) if row in positive]
        terms = [((j / r if r else 1.0) + (j + 1) / (r + 1)) / 2 for j, r in enumerate(ranks)]
        assert short["map_easy"][query] == pytest.approx(100 * sum(terms) / 3, abs=1e-8)
        assert short["mp@5_easy"][query] == pytest.approx(
            100 * sum(r < 5 for r in ranks) / 5
            if len(ranks) < 3
            else 100 * sum(r < 5 for r in ranks) / min(5, ranks[-1] + 1)
        )


def test_copies_have_the_scores_of_their_embeddings(data):
    queries, _, gallery, _ = data
    copies, originals = np.arange(24) % 12, np.arange(60)
    lists, scores = searched(queries, gallery)
    expected = evaluate_copies(queries, copies, gallery, originals, top=10)
    same(evaluate_copies_ranking(lists, copies, originals, top=10), expected)
    same(evaluate_copies_ranking(lists[:, :10], copies, originals, top=10), expected)
    same(evaluate_copies_ranking(lists, copies, originals, scores=scores, top=10), expected)


GOOD = np.array([[1, 2], [0, 2], [1, 0]])


@pytest.mark.parametrize(
    ("lists", "scores", "message"),
    [
        (GOOD[:2], None, "not integers"),
        (GOOD + 0.5, None, "not integers"),
        (
            np.where(GOOD == 2, 3, GOOD),
            None,
            r"query 0 \(and of 1 more\) names an image that",
        ),
        (np.where(GOOD == 2, -2, GOOD), None, "does not exist"),
        (np.array([[1, 2], [2, 2], [1, 0]]), None, "query 1 names an image twice"),
        (np.array([[1, 2], [0, 2], [-1, 0]]), None, "query 2 goes on after -1"),
        (np.array([[1, 2], [0, 2], [-1, -1]]), None, "query 2 lists no image"),
        (GOOD, [[2, 1], [1, np.nan], [2, 1]], "query 1 has a score that is NaN"),
        (GOOD, [[2, 1], [1, 1], [1, 2]], "query 2 has scores that rise"),
        (GOOD, [[2], [1], [1]], "scores have the shape"),
    ],
)
def test_wrong_lists_are_refused(lists, scores, message):
    with pytest.raises(InputError, match=message):
        evaluate_ranking(lists, [0, 0, 0], gallery_labels=[0, 1, 2], scores=scores, ks=(1,))


def test_a_k_beyond_the_shortest_list_is_refused():
    with pytest.raises(InputError, match="ks=2 exceeds the 1 images in the shortest list"):
        evaluate_ranking([[1, 0, 2], [1, 0, -1], [0, 1, -1]], [0, 1, 0], ks=(1, 2))
