import numpy as np
import pytest
import torch

from lowlabel.classification import nearest_train
from lowlabel.classification.kernels import _kth_largest
from lowlabel.classification.nearest_train import nearest
from lowlabel.embeddings import Embeddings


def embeddings(rows):
    return Embeddings.of(torch.from_numpy(rows), "features")


def search(train, test, k, block_size=512):
    cosines, rows = np.empty((len(test), k)), np.empty((len(test), k), np.int64)
    for block, found, places in nearest(embeddings(train), embeddings(test), k, block_size):
        cosines[block], rows[block] = found.numpy(), places.numpy()
    return cosines, rows


def brute_force(train, test, k):
    """All float64 cosines, equal ones by row."""
    train, test = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (train, test))
    cosines = np.round(test.astype(np.float64) @ train.astype(np.float64).T * 2**35) / 2**35
    order = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(cosines, order, 1), order


def drawn(kind, random):
    """Train and test rows that are hard to tell apart in float32, or hard to filter."""
    train, test = random.normal(size=(5000, 24)), random.normal(size=(40, 24))
    if kind == "near ties":
        train[1:] = train[0] + 1e-7 * random.normal(size=(4999, 24))
    elif kind == "copies":
        train = train[random.integers(0, 3, 5000)]
    elif kind == "constant":
        train[:] = 1
    elif kind == "rising":
        train = train[np.argsort(train @ test[0] / np.linalg.norm(train, axis=1))]
    elif kind == "lengths":
        train *= 10.0 ** random.integers(-20, 20, (5000, 1))
        test *= 10.0 ** random.integers(-20, 20, (40, 1))
    return train, test


@pytest.mark.parametrize("kind", ["normal", "near ties", "copies", "constant", "rising", "lengths"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [1, 20, 300])
def test_neighbours_are_those_of_a_brute_force_search(kind, dtype, k):
    train, test = (x.astype(dtype) for x in drawn(kind, np.random.default_rng(0)))
    cosines, rows = search(train, test, k)
    expected, order = brute_force(*(x.astype(np.float64) for x in (train, test)), k)
    np.testing.assert_allclose(cosines, expected, rtol=0, atol=1e-10)
    if kind in ("normal", "rising", "lengths"):
        np.testing.assert_array_equal(rows, order)
    elif kind == "constant":
        np.testing.assert_array_equal(rows, np.tile(np.arange(k), (len(test), 1)))
    assert all(len(np.unique(line)) == k for line in rows)


@pytest.mark.parametrize("k", [4000, 5000])
def test_most_of_the_train_images_can_be_neighbours(k):
    train, test = drawn("normal", np.random.default_rng(1))
    np.testing.assert_array_equal(search(train, test, k)[1], brute_force(train, test, k)[1])


def test_candidates_and_all_images_give_the_same_neighbours(monkeypatch):
    train, test = (x.astype(np.float32) for x in drawn("normal", np.random.default_rng(2)))
    filtered = search(train, test, 50)
    monkeypatch.setattr(nearest_train, "_MOST_NEIGHBOURS", 0)
    for ours, theirs in zip(filtered, search(train, test, 50), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_blocks_workers_and_precision_settings_change_nothing():
    train, test = (x.astype(np.float32) for x in drawn("normal", np.random.default_rng(3)))
    expected = search(train, test, 7)
    threads, precision = torch.get_num_threads(), torch.get_float32_matmul_precision()
    try:
        torch.set_num_threads(3)
        torch.set_float32_matmul_precision("medium")
        for block_size in (1, 13, 10_000):
            for ours, theirs in zip(search(train, test, 7, block_size), expected, strict=True):
                np.testing.assert_array_equal(ours, theirs)
    finally:
        torch.set_num_threads(threads)
        torch.set_float32_matmul_precision(precision)


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(0).standard_normal(1100),
        np.ones(600),
        np.r_[1e30, np.random.default_rng(1).standard_normal(600)],
        np.random.default_rng(2).integers(0, 3, 600),
        np.r_[-1e-45, 0.0, 1e-45, np.zeros(100)],
        np.random.default_rng(3).standard_cauchy(900),
    ],
)
@pytest.mark.parametrize("k", [1, 20, 100])
def test_the_kth_largest_is_never_exceeded_and_nearly_found(values, k):
    values = values.astype(np.float32)
    found, wanted = _kth_largest(values, k), np.sort(values)[-k]
    assert found <= wanted
    assert ((values >= found) & (values < wanted)).sum() <= k // 4 + 8
