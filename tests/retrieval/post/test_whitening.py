"""Whitening against plain float64 versions, and numbers of the authors' arithmetic."""

import numpy as np
import pytest
import torch

from lowlabel.errors import InputError
from lowlabel.retrieval import evaluate_retrieval, learn_whitening
from lowlabel.retrieval.post.whiten_pairs import class_pairs


@pytest.fixture(params=[None, 300])
def small_blocks(request, monkeypatch):
    """Once with everything in one block, once in many."""
    if request.param:
        monkeypatch.setattr("lowlabel.retrieval.ranking.blocks.BLOCK_VALUES", request.param)


@pytest.fixture
def data():
    """Training rows, a gallery and queries of different lengths, away from the origin."""
    rng = np.random.default_rng(3)
    sets = (rng.standard_normal((n, 12)) * np.arange(1, 13) + 2 for n in (80, 40, 15))
    return [rows * rng.uniform(0.3, 3, (len(rows), 1)) for rows in sets]


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def cosines(project, queries, gallery):
    rows = (project(torch.from_numpy(np.asarray(side, np.float64))) for side in (queries, gallery))
    q, g = (side.numpy() for side in rows)
    np.testing.assert_allclose(np.linalg.norm(np.concatenate([q, g]), axis=1), 1, atol=1e-9)
    return q @ g.T


def plain(train, sides, mean, moments, kept, power, floor):
    values, vectors = np.linalg.eigh(moments)
    values = np.maximum(values, floor * values.max())
    turned = [((rows - mean) @ vectors * values**-power)[:, ::-1][:, :kept] for rows in sides]
    return unit(turned[0]) @ unit(turned[1]).T


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize(("kept", "power"), [(12, 0.5), (7, 0.5), (7, 0.25), (12, 0.0)])
@pytest.mark.parametrize("eps", [0.0, 1e-5, 0.2])
def test_centred(data, kept, power, eps):
    train, gallery, queries = map(unit, data)
    mean = train.mean(axis=0)
    moments = (train - mean).T @ (train - mean) / len(train)
    expected = plain(train, (queries, gallery), mean, moments, kept, power, eps)
    spec = f"whiten:{kept},power={power},eps={eps}"
    project = learn_whitening(data[0], data[1], spec, device="cpu")
    np.testing.assert_allclose(cosines(project, data[2], data[1]), expected, atol=1e-9)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize(("kept", "power"), [(12, 0.5), (7, 0.5), (7, 0.25)])
def test_reference_learns_uncentred_moments_of_raw_rows_and_subtracts_the_mean(data, kept, power):
    train, gallery, queries = data
    moments = train.T @ train / len(train)
    expected = plain(train, (queries, gallery), train.mean(axis=0), moments, kept, power, 1e-5)
    spec = f"whiten:{kept},covariance=reference,power={power}"
    project = learn_whitening(train, gallery, spec, device="cpu")
    np.testing.assert_allclose(cosines(project, queries, gallery), expected, atol=1e-9)


TRAIN = [[2, 1], [2, -1], [4, 0.5], [3, -0.5], [1, 0.2]]
DATABASE, QUERY = [[2, 0.5], [1, 1]], [[2, -0.5]]


def test_numbers_of_copy_detection():
    """The second moments are [[6.8, 0.14], [0.14, 0.508]], the mean is (2.4, 0.04)."""
    train, database, query = (np.array(rows, float) for rows in (TRAIN, DATABASE, QUERY))
    project = learn_whitening(train, database, "whiten,covariance=reference", device="cpu")
    np.testing.assert_allclose(cosines(project, query, database), [[-0.909, -0.842]], atol=5e-4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_class_retrieval_whitens_raw_rows_too(data, dtype, brute_force):
    train, gallery, queries = (rows.astype(dtype) for rows in data)
    spec = "whiten,covariance=reference"
    project = learn_whitening(*(r.astype(np.float64) for r in (train, gallery)), spec, device="cpu")
    sides = [project(torch.from_numpy(r.astype(np.float64))).numpy() for r in (queries, gallery)]
    labels = np.arange(15) % 5, np.arange(40) % 5
    expected = brute_force(sides[0], labels[0], gallery=(sides[1], labels[1]))
    result = evaluate_retrieval(
        queries, labels[0], gallery=(gallery, labels[1]), train=train, post=(spec,)
    )
    for name, values in expected.items():
        np.testing.assert_allclose(result.per_query[name], values, atol=1e-9, err_msg=name)


def test_pairs_are_each_image_with_the_next_of_its_class():
    first, second = class_pairs(torch.tensor([7, 3, 7, 9, 3, 7]))
    pairs = set(zip(first.tolist(), second.tolist(), strict=True))
    assert pairs == {(1, 4), (4, 1), (0, 2), (2, 5), (5, 0)}


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize(("kept", "loading"), [(12, 0.0), (5, 0.0), (12, 0.01)])
def test_pairs(data, kept, loading):
    train, gallery, queries = map(unit, data)
    labels = np.random.default_rng(5).integers(0, 9, len(train))
    labels[7] = 50  # alone: in no pair, and in the spread of all
    first, second = (side.numpy() for side in class_pairs(torch.from_numpy(labels)))
    assert len(first) == len(train) - 1
    mean = train[first].mean(axis=0)
    differences = train[first] - train[second]
    factor = np.linalg.cholesky(differences.T @ differences / len(first) + loading * np.eye(12))
    turned = np.linalg.inv(factor) @ (train - mean).T
    vectors = np.linalg.eigh(turned @ turned.T)[1][:, ::-1][:, :kept]
    sides = [(rows - mean) @ np.linalg.inv(factor).T @ vectors for rows in (queries, gallery)]
    expected = unit(sides[0]) @ unit(sides[1]).T
    spec = f"whiten-pairs:{kept},loading={loading}"
    project = learn_whitening(data[0], data[1], spec, train_labels=labels, device="cpu")
    np.testing.assert_allclose(cosines(project, data[2], data[1]), expected, atol=1e-9)


def test_pairs_whiten_the_differences_of_a_class():
    """Of two dimensions the one that differs within pairs counts least afterwards."""
    rng = np.random.default_rng(0)
    classes = np.repeat(rng.standard_normal((20, 3)), 4, axis=0)
    rows = classes + 0.7 * rng.standard_normal((80, 3)) * (0, 0, 1)
    rows += 0.01 * rng.standard_normal((80, 3))
    labels = np.arange(80) // 4
    train, test = (rows[:40], labels[:40]), (rows[40:], labels[40:])
    options = {"train": train[0], "train_labels": train[1], "ks": (1,)}
    plain, pairs = (
        evaluate_retrieval(*test, post=post, **options).metrics["map@r"]
        for post in ((), ("whiten-pairs",))
    )
    assert pairs > plain + 20


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, "takes pairs of one class, and the training images have no labels"),
        (np.arange(80), "none of the 80 training images has another of its class"),
        (np.arange(80) // 2 % 4, None),
        (np.concatenate([[0, 0], np.arange(1, 79)]), "2 pairs do not vary in 11 of 12 dimensions"),
        (np.zeros(79, int), "train labels"),
    ],
)
def test_pairs_need_labels_that_pair_enough_images(data, labels, message):
    arguments = (*data[:2], "whiten-pairs")
    if message is None:
        assert learn_whitening(*arguments, train_labels=labels)
        return
    with pytest.raises(InputError, match=message):
        learn_whitening(*arguments, train_labels=labels)


def test_loading_lets_few_pairs_do(data):
    labels = np.concatenate([[0, 0], np.arange(1, 79)])
    spec = "whiten-pairs,loading=1e-6"
    assert learn_whitening(*data[:2], spec, train_labels=labels, device="cpu")
