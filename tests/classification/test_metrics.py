import numpy as np
import pytest
import torch
from sklearn.metrics import (
    balanced_accuracy_score,
    f1_score,
    roc_auc_score,
    top_k_accuracy_score,
)

from lowlabel.classification import ClassifierResult
from lowlabel.classification.intervals import Units
from lowlabel.classification.metrics import classification_values


def drawn(images=400, classes=7, seed=0, digits=None):
    """Probabilities and labels of very unequal classes; few digits make ties."""
    rng = np.random.default_rng(seed)
    labels = np.r_[np.arange(classes), rng.geometric(0.4, images - classes).clip(max=classes) - 1]
    scores = rng.normal(size=(images, classes)) + 1.5 * (labels[:, None] == np.arange(classes))
    if digits is not None:
        scores = scores.round(digits)
    return torch.from_numpy(scores).softmax(1), torch.from_numpy(labels)


def metrics(probabilities, labels, **options):
    values = classification_values(probabilities, labels, **options)
    return ClassifierResult(values, probabilities.shape[1], 0, Units(labels.numpy())).metrics


def calibration_error(probabilities, labels):
    """By a loop over the bins (low, high]."""
    confidence, predicted = probabilities.max(1)
    total = 0.0
    for low in range(15):
        inside = (confidence > low / 15) & (confidence <= (low + 1) / 15)
        if inside.any():
            hits = (predicted == labels)[inside].double()
            total += abs(float(confidence[inside].mean() - hits.mean())) * float(inside.sum())
    return 100 * total / len(labels)


@pytest.mark.parametrize("digits", [None, 0])
@pytest.mark.parametrize("classes", [2, 4, 7, 30])
def test_every_metric_is_that_of_scikit_learn(classes, digits):
    probabilities, labels = drawn(classes=classes, digits=digits)
    found = metrics(probabilities, labels)
    predicted, names = probabilities.argmax(1).numpy(), np.arange(classes)
    scores = probabilities[:, 1] if classes == 2 else probabilities
    assert found["top1"] == pytest.approx(100 * np.mean(predicted == labels.numpy()))
    assert found["balanced_accuracy"] == pytest.approx(
        100 * balanced_accuracy_score(labels, predicted)
    )
    assert found["macro_f1"] == pytest.approx(100 * f1_score(labels, predicted, average="macro"))
    auroc = roc_auc_score(labels, scores, multi_class="ovr", labels=names)
    assert found["auroc"] == pytest.approx(100 * auroc)
    assert found["ece"] == pytest.approx(calibration_error(probabilities, labels))
    if digits is None and classes > 5:
        top5 = top_k_accuracy_score(labels, probabilities, k=5, labels=names)
        assert found["top5"] == pytest.approx(100 * top5)
    if classes <= 5:
        assert found["top5"] == 100


def test_classes_that_are_in_no_test_image_or_in_no_column():
    probabilities, labels = drawn(classes=8)
    few = labels < 5
    probabilities, labels = probabilities[few], labels[few]
    renamed = torch.where(labels == 4, -3, labels)  # a class that train lacks
    known = probabilities[:, torch.arange(8) != 4]
    known = torch.cat([known[:, :4], known[:, 4:]], 1) / known.sum(1, keepdim=True)
    found = metrics(known, renamed)
    predicted = known.argmax(1)
    assert found["balanced_accuracy"] == pytest.approx(
        100 * np.mean([np.mean((predicted == c)[renamed == c].numpy()) for c in (-3, 0, 1, 2, 3)])
    )
    f1 = f1_score(renamed, predicted, average="macro")
    assert found["macro_f1"] == pytest.approx(100 * f1)
    areas = [roc_auc_score(renamed == c, known[:, c]) for c in range(4)]
    assert found["auroc"] == pytest.approx(100 * np.mean([*areas, 0.5]))


def test_what_needs_probabilities_can_be_left_out():
    every = metrics(*drawn())
    fewer = metrics(*drawn(), probabilistic=False)
    assert fewer == {name: every[name] for name in every if name not in ("auroc", "ece")}


def test_perfect_and_constant_scores():
    labels = torch.tensor([0, 1, 2, 2, 1, 0, 0])
    perfect = metrics(torch.nn.functional.one_hot(labels).double(), labels)
    assert perfect == pytest.approx(dict.fromkeys(perfect, 100.0) | {"ece": 0.0})
    constant = metrics(torch.full((7, 3), 1 / 3, dtype=torch.float64), labels)
    assert constant["auroc"] == pytest.approx(50)
    assert constant["balanced_accuracy"] == pytest.approx(100 / 3)
    assert constant["top1"] == pytest.approx(300 / 7)  # the first class is predicted
    assert constant["ece"] == pytest.approx(100 * abs(3 / 7 - 1 / 3))


def test_classes_in_another_order_and_images_in_another_order_change_nothing():
    probabilities, labels = drawn(classes=6)
    order = torch.from_numpy(np.random.default_rng(1).permutation(6))
    renamed = metrics(probabilities[:, order], order.argsort()[labels])
    assert renamed == pytest.approx(metrics(probabilities, labels))
    rows = torch.from_numpy(np.random.default_rng(2).permutation(len(labels)))
    shuffled = classification_values(probabilities[rows], labels[rows])
    for name, values in classification_values(probabilities, labels).items():
        np.testing.assert_allclose(shuffled[name], values[rows.numpy()], atol=1e-9)


def test_blocks_of_classes_change_nothing(monkeypatch):
    whole = metrics(*drawn())
    monkeypatch.setattr("lowlabel.classification.metrics._BLOCK_ELEMENTS", {"cpu": 800})
    assert metrics(*drawn()) == pytest.approx(whole)


@pytest.mark.slow
def test_intervals_are_those_of_resampled_images():
    """The bootstrap's standard deviation, for metrics that are no mean over images."""
    probabilities, labels = drawn(images=1500, classes=4)
    result = ClassifierResult(
        classification_values(probabilities, labels), 4, 0, Units(labels.numpy())
    )
    rng = np.random.default_rng(0)
    resampled = []
    for _ in range(400):
        rows = torch.from_numpy(rng.integers(0, len(labels), len(labels)))
        resampled.append(list(metrics(probabilities[rows], labels[rows]).values()))
    spread = dict(zip(result.metrics, np.std(resampled, axis=0, ddof=1), strict=True))
    for name in ("balanced_accuracy", "macro_f1", "auroc", "top1"):
        assert result.ci95[name] == pytest.approx(1.96 * spread[name], rel=0.15)


def test_a_confidence_at_the_end_of_a_bin_belongs_to_it():
    """In float64, 15 · (11 / 15) is above 11."""
    ends = torch.arange(8, 16).double() / 15
    for row, end in enumerate(ends):
        confidence = torch.stack([end, 1 - end])[None]
        alone = torch.tensor([[end + 1e-3, 1 - end - 1e-3]], dtype=torch.float64)
        both = torch.cat([confidence, (alone if row < 7 else confidence)])
        labels = torch.tensor([0, 1])
        assert metrics(both, labels)["ece"] == pytest.approx(calibration_error(both, labels))


def test_images_of_one_class_have_no_auroc():
    probabilities = torch.tensor([[0.7, 0.3], [0.4, 0.6], [0.9, 0.1]])
    found = classification_values(probabilities, torch.tensor([0, 0, 0]))
    assert "auroc" not in found
    assert all(np.isfinite(values).all() for values in found.values())
    assert found["balanced_accuracy"].mean() == pytest.approx(100 * 2 / 3)
