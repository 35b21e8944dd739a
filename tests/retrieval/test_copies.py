import re

import numpy as np
import pytest

from lowlabel.errors import InputError
from lowlabel.retrieval import evaluate_copies


def loop(query, groups, database, database_groups, top):
    """Trapezoids over the first images of a full sort; other images go before equal originals."""
    scores = []
    for q, group in zip(query.astype(float), groups, strict=True):
        similarity = database @ q / np.linalg.norm(database, axis=1) / np.linalg.norm(q)
        positive = database_groups == group
        order = sorted(
            range(len(database)), key=lambda i: (-round(similarity[i], 12), bool(positive[i]))
        )
        area, found = 0.0, 0
        for rank, image in enumerate(order[:top]):
            if positive[image]:
                left = 1.0 if rank == 0 else found / rank
                found += 1
                area += (left + found / (rank + 1)) / 2 / positive.sum()
        if positive.any():
            scores.append(100 * area)
    return np.array(scores)


@pytest.fixture
def copies():
    rng = np.random.default_rng(0)
    originals = rng.standard_normal((40, 12)).astype(np.float32)
    groups = rng.permutation(1000)[:40]
    made_from = rng.integers(0, 40, 90)
    query = originals[made_from] + rng.uniform(0, 3, (90, 1)) * rng.standard_normal((90, 12))
    distractors = rng.standard_normal((500, 12)).astype(np.float32)
    return query.astype(np.float32), groups[made_from], originals, groups, distractors


@pytest.mark.slow
@pytest.mark.parametrize("top", [1, 20, 1000])
@pytest.mark.parametrize("originals_each", [1, 2])
def test_equals_a_plain_loop(copies, top, originals_each):
    query, made_from, originals, groups, distractors = copies
    groups = groups // originals_each * originals_each
    made_from = made_from // originals_each * originals_each
    result = evaluate_copies(query, made_from, originals, groups, distractors=distractors, top=top)
    database = np.vstack([originals, distractors]).astype(float)
    all_groups = np.concatenate([groups, np.full(len(distractors), -1)])
    expected = loop(query, made_from, database, all_groups, top)
    np.testing.assert_allclose(result.per_query[f"map@{top}"], expected, rtol=1e-12)
    assert result.metrics[f"map@{top}"] == pytest.approx(expected.mean())


@pytest.mark.parametrize(("place", "score"), [(0, 100), (1, 25), (19, 2.5), (20, 0)])
def test_only_the_first_twenty_are_found(place, score):
    query, originals = np.arange(50.0, 0, -1)[None], np.eye(50)
    groups = np.arange(50)
    assert evaluate_copies(query, [place], originals, groups).metrics == {
        "map@20": pytest.approx(score)
    }


def test_constant_embeddings_score_0(copies):
    query, made_from, originals, groups, distractors = (np.ones_like(x) for x in copies)
    groups[:], made_from[:] = copies[3], copies[1]
    result = evaluate_copies(query, made_from, originals, groups, distractors=distractors)
    assert result.metrics["map@20"] == 0


def test_copies_without_an_original_are_counted(copies):
    query, made_from, originals, groups, _ = copies
    made_from = made_from.copy()
    made_from[:7] = 5000
    result = evaluate_copies(query, made_from, originals, groups)
    assert (result.lone, result.queries) == (7, 83)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"query_groups": [1]}, "query_groups have the shape (1,) for 90 images"),
        ({"original_groups": [1]}, "original_groups have the shape (1,) for 40 images"),
        ({"originals": np.zeros((40, 12))}, "40 of 40 rows of original features are all zero"),
        ({"distractors": np.zeros((4, 12))}, "4 of 4 rows of distractors[0] from row 0 on"),
    ],
)
def test_bad_input(copies, changes, message):
    names = ("query", "query_groups", "originals", "original_groups", "distractors")
    with pytest.raises(InputError, match=re.escape(message)):
        evaluate_copies(**dict(zip(names, copies, strict=True)) | changes)
