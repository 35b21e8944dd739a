from dataclasses import replace

import numpy as np
import pytest

from lowlabel.classification import (
    RECIPES,
    evaluate_knn,
    evaluate_label_budget,
    evaluate_linear,
    evaluate_logistic_regression,
    label_free_measures,
)

RANDOM = np.random.default_rng(0)
MEANS = RANDOM.normal(size=(5, 16))
TRAIN_LABELS, TEST_LABELS = np.repeat(np.arange(5), 20), np.repeat(np.arange(5), 8)
TRAIN = (MEANS[TRAIN_LABELS] + RANDOM.normal(size=(100, 16))).astype("f4")
TEST = (MEANS[TEST_LABELS] + RANDOM.normal(size=(40, 16))).astype("f4")
ARRAYS = (TRAIN, TRAIN_LABELS, TEST, TEST_LABELS)


def assert_both_agree(gpu, metrics):
    """The scores of the CPU and of the GPU are equal but for rounding."""
    assert metrics(gpu) == pytest.approx(metrics("cpu"), abs=1e-3)


def test_knn(gpu):
    assert_both_agree(gpu, lambda device: evaluate_knn(*ARRAYS, k=(1, 20), device=device).metrics)


@pytest.mark.parametrize(
    "recipe", [replace(RECIPES["dino"], epochs=2), replace(RECIPES["dinov2"], iterations=10)]
)
def test_linear_probe(gpu, recipe):
    assert_both_agree(
        gpu, lambda device: evaluate_linear(*ARRAYS, recipe=recipe, device=device).metrics
    )


def test_logistic_regression(gpu):
    assert_both_agree(
        gpu,
        lambda device: evaluate_logistic_regression(*ARRAYS, c=(0.1, 10.0), device=device).metrics,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "method", ["ncm", "cosine", "ridge", "logreg", "svm,norm=l2", "knn", "linear-cached"]
)
def test_label_budget(gpu, method):
    def metrics(device):
        found = evaluate_label_budget(
            *ARRAYS, budgets=[2, "100%"], methods=method, draws=2, device=device
        )
        return {(r.budget, n): value for r in found.results for n, value in r.metrics.items()}

    assert_both_agree(gpu, metrics)


def test_label_free_measures(gpu):
    assert_both_agree(gpu, lambda device: label_free_measures(TRAIN, device=device).metrics)
