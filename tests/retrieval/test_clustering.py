"""NMI against its formula and scikit-learn on fixed clusters; k-means on separate classes."""

from collections import Counter
from math import log

import numpy as np
import pytest
import torch
from sklearn.metrics import normalized_mutual_info_score

from lowlabel.errors import InputError
from lowlabel.retrieval import clustering, evaluate_retrieval


def plain_nmi(a, b):
    """2·I(a; b) / (H(a) + H(b)) from counts."""
    n = len(a)
    pairs, left, right = Counter(zip(a, b, strict=True)), Counter(a), Counter(b)
    information = sum(c / n * log(c * n / (left[x] * right[y])) for (x, y), c in pairs.items())
    entropies = [-sum(c / n * log(c / n) for c in counts.values()) for counts in (left, right)]
    return 200 * information / sum(entropies)


@pytest.fixture(params=["faiss", "scikit-learn"])
def backend(request, monkeypatch):
    if request.param == "faiss":
        pytest.importorskip("faiss")
    monkeypatch.setattr(clustering, "clustering_backend", lambda: request.param)
    return request.param


def test_nmi_of_fixed_clusters(monkeypatch, clustered):
    x, labels = clustered()
    clusters = np.random.default_rng(0).integers(0, 25, len(labels))
    monkeypatch.setattr(clustering, "cluster", lambda rows, count, seed: clusters)
    score = clustering.nmi(torch.from_numpy(x), torch.from_numpy(labels))
    assert score == pytest.approx(plain_nmi(labels.tolist(), clusters.tolist()))
    assert score == pytest.approx(100 * normalized_mutual_info_score(labels, clusters))


@pytest.mark.filterwarnings("ignore:faiss is not installed")
def test_separate_classes_are_found(backend):
    rng = np.random.default_rng(1)
    labels = np.repeat(np.arange(4), 50)
    x = np.eye(16, dtype=np.float32)[labels] + 0.01 * rng.standard_normal((200, 16))
    scores = [
        clustering.nmi(torch.from_numpy(x).float(), torch.from_numpy(labels), seed)
        for seed in range(5)
    ]
    assert max(scores) == pytest.approx(100)  # first centres may fall into one class
    assert min(scores) > 60


@pytest.mark.filterwarnings("ignore:faiss is not installed")
def test_seed_decides(backend, clustered):
    x, labels = (torch.from_numpy(array) for array in clustered())
    x = torch.nn.functional.normalize(x)
    assert clustering.nmi(x, labels, 3) == clustering.nmi(x, labels, 3)
    assert clustering.nmi(x, labels, 3) != clustering.nmi(x, labels, 4)


@pytest.mark.filterwarnings("ignore:faiss is not installed")
def test_constant_embeddings_share_no_information(backend):
    labels = torch.arange(60) // 6
    assert clustering.nmi(torch.ones(60, 8), labels) < 60


def test_the_fallback_to_scikit_learn_warns(monkeypatch, clustered):
    monkeypatch.setattr(clustering, "find_spec", lambda name: None)
    with pytest.warns(UserWarning, match=r"NMI comes from scikit-learn.*lowlabel\[cpu\]"):
        evaluate_retrieval(*clustered(images=100, classes=10), nmi=True)


@pytest.mark.filterwarnings("ignore:faiss is not installed")
def test_nmi_of_an_evaluation(monkeypatch, clustered):
    x, labels = clustered(images=200, classes=20)
    seen = []

    def cluster(rows, count, seed):
        seen.append((rows.shape, count))
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
        return np.arange(len(rows)) % 20

    monkeypatch.setattr(clustering, "cluster", cluster)
    result = evaluate_retrieval(x, labels, nmi=True)
    assert result.metrics["nmi"] == pytest.approx(
        plain_nmi(labels.tolist(), [i % 20 for i in range(200)])
    )
    assert np.isnan(result.ci95["nmi"])
    assert "nmi" not in result.per_query
    evaluate_retrieval(x[:50], labels[:50], gallery=(x[50:], labels[50:]), nmi=True)
    assert seen == [((200, 24), 20)] * 2
    with pytest.raises(InputError, match="which NMI cannot use"):
        evaluate_retrieval(x, labels, nmi=True, post=("diffusion:5",))
