import pytest
import torch

from lowlabel.retrieval import evaluate_retrieval

accuracy_calculator = pytest.importorskip("pytorch_metric_learning.utils.accuracy_calculator")
inference = pytest.importorskip("pytorch_metric_learning.utils.inference")
distances = pytest.importorskip("pytorch_metric_learning.distances")


def calculator():
    """Musgrave et al.'s own implementation of P@1, R-Precision and MAP@R."""
    return accuracy_calculator.AccuracyCalculator(
        include=("precision_at_1", "r_precision", "mean_average_precision_at_r"),
        k="max_bin_count",
        device=torch.device("cpu"),
        knn_func=inference.CustomKNN(distances.CosineSimilarity()),
    )


def assert_agrees(result, peer):
    for ours, theirs in {
        "precision@1": "precision_at_1",
        "r_precision": "r_precision",
        "map@r": "mean_average_precision_at_r",
    }.items():
        assert result.metrics[ours] / 100 == pytest.approx(peer[theirs], abs=2e-6), ours


@pytest.mark.parametrize("classes", [8, 100])
def test_leave_one_out_agrees_with_pytorch_metric_learning(clustered, classes):
    x, labels = clustered(images=600, classes=classes)
    peer = calculator().get_accuracy(torch.from_numpy(x), torch.from_numpy(labels))
    assert_agrees(evaluate_retrieval(x, labels), peer)


def test_gallery_agrees_with_pytorch_metric_learning(clustered):
    x, labels = clustered(images=600)
    query, gallery = (x[:200], labels[:200]), (x[200:], labels[200:])
    peer = calculator().get_accuracy(*map(torch.from_numpy, query + gallery))
    assert_agrees(evaluate_retrieval(*query, gallery=gallery), peer)
