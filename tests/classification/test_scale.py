import numpy as np
import pytest

from lowlabel.classification import evaluate_knn


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("train_power", ["rows", -100, 0, 100])
def test_lengths_of_any_size_change_no_neighbour(dtype, train_power):
    random = np.random.default_rng(0)
    labels = np.arange(60) % 6
    means = random.normal(size=(6, 8))
    train, test = (means[labels] + random.normal(size=(60, 8)) for _ in range(2))
    train, test = (np.sign(x) * (np.abs(x) + 0.25) for x in (train, test))
    train, test = train.astype(np.float32).astype(dtype), test.astype(np.float32).astype(dtype)
    expected = evaluate_knn(train, labels, test, labels, k=(1, 5))
    assert 40 < expected.metrics["top1@5"] < 95
    most = 110 if dtype == np.float32 else 1000
    if train_power == "rows":
        train_power = random.integers(-most, most, (60, 1))
    for power in (-most, -63, 63, most, random.integers(-most, most, (60, 1))):
        found = evaluate_knn(
            np.ldexp(train, train_power), labels, np.ldexp(test, power), labels, k=(1, 5)
        )
        for name, hits in expected.correct.items():
            np.testing.assert_array_equal(found.correct[name], hits)
