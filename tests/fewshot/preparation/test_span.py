import numpy as np
import pytest
import torch

from lowlabel.fewshot import METHODS, build_method, evaluate_fewshot
from lowlabel.fewshot.preparation.prepared import prepare
from lowlabel.fewshot.preparation.span import in_span

INVARIANT = [name for name, method in METHODS.items() if method.rotation_invariant]
LABELS = np.arange(6).repeat(20)


def wide_features(width=1000, images=120):
    """Overlapping classes in as many dimensions as pixels have."""
    random = np.random.default_rng(0)
    centers = random.normal(size=(6, width)) * 0.2
    return (centers[LABELS[:images]] + random.normal(size=(images, width)) + 0.5).astype(np.float32)


def spanned(features, method="ncm"):
    method = build_method(method)
    prepared = prepare(method, features, None, torch.device("cpu"))
    return in_span(method, prepared).features, prepared.features


def test_most_methods_are_invariant():
    assert {"ncm", "cosine", "logreg", "ridge", "svm", "bd-cspn"} <= set(INVARIANT)
    assert not {"tim", "alpha-tim", "dc", "dc-sslvit", "pt-map"} & set(INVARIANT)


@pytest.mark.parametrize("name", INVARIANT)
@pytest.mark.parametrize("shots", [1, 5])
def test_the_scores_are_those_of_all_dimensions(monkeypatch, name, shots):
    features = wide_features()
    options = {
        "base": (features[:60] - 0.2, LABELS[:60]),
        "device": "cpu",
        "method": name,
        "shots": shots,
        "tasks": 100,
        "interval": "tasks",
    }
    found = evaluate_fewshot(features, LABELS, **options)
    monkeypatch.setattr("lowlabel.fewshot.evaluate.in_span", lambda _, prepared: prepared)
    expected = evaluate_fewshot(features, LABELS, **options)
    assert found.task_hash == expected.task_hash
    assert np.abs(found.accuracies - expected.accuracies).max() < 2.7  # two of 75 at a border
    assert np.abs(found.accuracies - expected.accuracies).mean() < 0.1
    assert 30 < expected.mean < 99.9


def test_inner_products_stay():
    rotated, features = spanned(wide_features())
    assert rotated.shape == (120, 120) and rotated.dtype == torch.float32
    expected = features.double() @ features.double().T
    assert torch.allclose(rotated.double() @ rotated.double().T, expected, rtol=1e-6, atol=1e-3)


def test_equal_rows_stay_equal():
    features = wide_features()
    features[[5, 70]], features[[6, 9]] = features[0], 0
    rotated, _ = spanned(features)
    assert torch.equal(rotated[5], rotated[0]) and torch.equal(rotated[70], rotated[0])
    assert not rotated[[6, 9]].any()
    assert rotated.shape == (120, 117)


@pytest.mark.parametrize(("method", "width"), [("ncm", 239), ("tim", 1000), ("pt-map", 1000)])
def test_what_would_gain_nothing_or_change_is_left(method, width):
    found, features = spanned(np.abs(wide_features(width)), method)
    assert found is features
