"""Post-processing of rows in blocks, beside the same arithmetic in numpy."""

import numpy as np
import pytest

from lowlabel.errors import InputError
from lowlabel.retrieval import (
    evaluate_copies,
    evaluate_retrieval,
    learn_transform,
    learn_whitening,
)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def int8(rows):
    scale = np.abs(rows).max(axis=1, keepdims=True) / 127
    return np.rint(rows / scale)


STEPS = {
    "truncate:6": lambda rows: rows[:, :6],
    "int8": int8,
    "binary": lambda rows: np.where(rows > 0, 1.0, -1.0),
}
CHAINS = [("truncate:6",), ("int8",), ("binary",), ("truncate:6", "int8"), ("truncate:6", "binary")]


@pytest.fixture
def arrays():
    random = np.random.default_rng(0)
    originals = random.normal(size=(40, 12)).astype(np.float32)
    made_from = random.integers(0, 40, 60)
    query = originals[made_from] + random.normal(size=(60, 12))
    distractors = random.normal(size=(300, 12)).astype(np.float32)
    return 5 * query.astype(np.float32), made_from, originals, np.arange(40), distractors


def by_numpy(chain, rows):
    rows = rows.astype(float)
    for step in chain:
        rows = STEPS[step](rows)
    return rows


@pytest.mark.parametrize("ties", ["pessimistic", "optimistic"])
@pytest.mark.parametrize("chain", CHAINS, ids="+".join)
def test_ranks_are_those_of_compressed_rows(arrays, chain, ties):
    query, made_from, originals, groups, distractors = arrays
    transform = learn_transform(chain, originals)
    found = evaluate_copies(
        query, made_from, originals, groups, distractors=distractors, transform=transform,
        ties=ties, block_size=37,
    )  # fmt: skip
    rows = [by_numpy(chain, each) for each in (query, originals, distractors)]
    expected = evaluate_copies(rows[0], made_from, rows[1], groups, distractors=rows[2], ties=ties)
    assert found.metrics == pytest.approx(expected.metrics)


def test_signs_are_ranked_by_their_hamming_distance_and_equal_ones_are_ties(arrays):
    query, made_from, originals, groups, distractors = arrays
    signs = [each > 0 for each in (query, np.vstack([originals, distractors]))]
    distance = (signs[0][:, None] != signs[1][None]).sum(2)
    own = distance[np.arange(60), made_from][:, None]
    rank = ((distance <= own).sum(1), 1 + (distance < own).sum(1))  # the original's
    for ties, ranks in zip(("pessimistic", "optimistic"), rank, strict=True):
        found = evaluate_copies(
            query, made_from, originals, groups, distractors=distractors, top=1000, ties=ties,
            transform=learn_transform("binary", originals),
        )  # fmt: skip
        before = np.where(ranks == 1, 1.0, 0.0)
        assert found.metrics["map@1000"] == pytest.approx(100 * np.mean((before + 1 / ranks) / 2))


def test_it_is_the_chain_of_class_level_retrieval(arrays):
    query, made_from, originals, groups, _ = arrays
    train = np.random.default_rng(1).normal(size=(90, 12)).astype(np.float32)
    chain = ("whiten:8", "int8")
    found = evaluate_copies(
        query, made_from, originals, groups, top=40,
        transform=learn_transform(chain, originals, train=train),
    )  # fmt: skip
    whole = evaluate_retrieval(
        query, made_from, gallery=(originals, groups), ks=(1,), train=train, post=chain
    )
    ranks = 100 / whole.per_query["mrr"]
    expected = (np.where(ranks == 1, 1.0, 0.0) + 1 / ranks) / 2
    assert found.metrics["map@40"] == pytest.approx(100 * expected.mean())


def test_whitening_alone_is_that_of_learn_whitening(arrays):
    import torch

    originals = arrays[2]
    train = np.random.default_rng(1).normal(size=(90, 12)).astype(np.float32)
    rows = torch.from_numpy(originals)
    ours = learn_transform("whiten:8", originals, train=train)(rows)
    torch.testing.assert_close(ours, learn_whitening(train, originals, "whiten:8")(rows))


@pytest.mark.parametrize(
    ("post", "message"),
    [
        ("aqe:3", "truncate, int8 and binary, not aqe:3"),
        (("int8", "whiten"), "one whitening, before truncate, int8 and binary: put whiten first"),
        (("whiten", "whiten-pairs"), "one whitening, before .*: put whiten-pairs first"),
        ("whiten", "whiten has no images to learn from"),
    ],
)
def test_other_chains_are_refused(arrays, post, message):
    with pytest.raises(InputError, match=message):
        learn_transform(post, arrays[2])


def test_more_dimensions_than_there_are_cannot_be_kept(arrays):
    query, made_from, originals, groups, _ = arrays
    transform = learn_transform("truncate:13", originals)
    with pytest.raises(InputError, match="keeps more dimensions than the 12"):
        evaluate_copies(query, made_from, originals, groups, transform=transform)
