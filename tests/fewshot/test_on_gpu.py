import numpy as np
import pytest

from lowlabel.fewshot import evaluate_fewshot
from lowlabel.fewshot.methods import METHODS

RANDOM = np.random.default_rng(0)
LABELS = np.repeat(np.arange(12), 25)
FEATURES = np.abs(RANDOM.normal(size=(12, 40))[LABELS] + RANDOM.normal(size=(300, 40)))
BASE = (np.abs(RANDOM.normal(size=(150, 40))), np.repeat(np.arange(5), 30))
FEW_IMAGES = (BASE[0], np.repeat(np.arange(15), 10))  # fewer than dimensions


def assert_agree(first, second):
    """All tasks but one, in which rounding may decide."""
    assert (np.abs(first - second) > 1e-6).sum() <= 1


OPTIONS = {"tim": ",iterations=50", "alpha-tim": ",iterations=50"}  # of 1,000 that are alike


@pytest.mark.slow
@pytest.mark.parametrize("base", [BASE, FEW_IMAGES], ids=["30 images", "10 images"])
@pytest.mark.parametrize("method", METHODS)
def test_every_method(gpu, method, base):
    method += OPTIONS.get(method, "")
    options = {"shots": 2, "queries": 5, "tasks": 10, "interval": "classes", "base": base}
    results = [
        evaluate_fewshot(FEATURES, LABELS, method=method, device=device, **options)
        for device in ("cpu", gpu)
    ]
    assert_agree(*(result.accuracies for result in results))


@pytest.mark.parametrize(
    "method", ["ncm,norm=l2", "ncm,norm=l2n", "ncm,norm=cl2n", "logreg,norm=tukey-l2"]
)
def test_norms(gpu, method):
    results = [
        evaluate_fewshot(
            FEATURES, LABELS, base=BASE, method=method, tasks=10, interval="tasks", device=device
        ).accuracies
        for device in ("cpu", gpu)
    ]
    assert_agree(*results)
