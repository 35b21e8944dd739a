import numpy as np
import pytest

from lowlabel.errors import InputError
from lowlabel.fewshot import build_method, chosen_base_classes


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


@pytest.fixture
def novel():
    random = np.random.default_rng(0)
    return random.random((40, 6), np.float32), np.arange(40) % 4


@pytest.fixture
def base():
    random = np.random.default_rng(1)
    return random.random((60, 6), np.float32), 10 + np.arange(60) % 5 * 3


@pytest.mark.parametrize(
    ("method", "k"),
    [("dc", 2), ("dc-sslvit", 2), ("dc-sslvit,k=3", 3), (build_method("dc-sslvit,k=1"), 1)],
)
def test_the_classes_of_the_nearest_means_are_chosen(novel, base, method, k):
    chosen = chosen_base_classes(*novel, base=base, method=method, device="cpu")
    x, b = (novel[0] ** 0.5, base[0]) if method == "dc" else (unit(novel[0]), unit(base[0]))
    names = np.unique(base[1])
    means = np.stack([b[base[1] == name].mean(0) for name in names])
    assert chosen.shape == (40, k)
    for image, classes in zip(x, chosen, strict=True):
        nearest = np.argsort(((means - image) ** 2).sum(1))[:k]
        assert set(classes) == set(names[nearest])


def test_methods_without_base_classes_are_refused(novel, base):
    with pytest.raises(InputError, match="ncm borrows from no base classes"):
        chosen_base_classes(*novel, base=base, method="ncm")
