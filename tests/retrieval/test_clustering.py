"""NMI against its formula and scikit-learn on fixed clusters; k-means on separate classes."""

from collections import Counter
from math import log

import numpy as np
import pytest
import torch
from scipy.stats import t
from sklearn.metrics import adjusted_mutual_info_score, normalized_mutual_info_score

from lowlabel.errors import InputError
from lowlabel.retrieval import clustering, evaluate_retrieval


def plain_nmi(a, b):
    """2·I(a; b) / (H(a) + H(b)) from counts."""
    n = len(a)
    pairs, left, right = Counter(zip(a, b, strict=True)), Counter(a), Counter(b)
    information = sum(c / n * log(c * n / (left[x] * right[y])) for (x, y), c in pairs.items())
    entropies = [-sum(c / n * log(c / n) for c in counts.values()) for counts in (left, right)]
    return 200 * information / sum(entropies)


def plain_f1(labels, clusters):
    """F1 over all pairs of images, in percent."""
    i, j = np.triu_indices(len(labels), 1)
    of_class, in_cluster = labels[i] == labels[j], clusters[i] == clusters[j]
    both = np.sum(of_class & in_cluster)
    precision, recall = both / np.sum(in_cluster), both / np.sum(of_class)
    return 100 * 2 * precision * recall / (precision + recall)


@pytest.fixture(params=["faiss", "scikit-learn"])
def backend(request, monkeypatch):
    if request.param == "faiss":
        pytest.importorskip("faiss")
    monkeypatch.setattr(clustering, "clustering_backend", lambda: request.param)
    return request.param


def test_scores_of_fixed_clusters(monkeypatch, clustered):
    x, labels = clustered()
    clusters = np.random.default_rng(0).integers(0, 25, (3, len(labels)))
    monkeypatch.setattr(clustering, "cluster", lambda rows, count, seed: clusters[seed])
    scores = clustering.clustering_scores(torch.from_numpy(x), torch.from_numpy(labels), seeds=3)
    for seed in range(3):
        found = clusters[seed]
        nmi = plain_nmi(labels.tolist(), found.tolist())
        assert scores["nmi"][seed] == pytest.approx(nmi)
        assert nmi == pytest.approx(100 * normalized_mutual_info_score(labels, found))
        ami = 100 * adjusted_mutual_info_score(labels, found)
        assert scores["ami"][seed] == pytest.approx(ami)
        assert scores["f1"][seed] == pytest.approx(plain_f1(labels, found))


@pytest.mark.filterwarnings("ignore:faiss is not installed")
def test_separate_classes_are_found(backend):
    rng = np.random.default_rng(1)
    labels = np.repeat(np.arange(4), 50)
    x = np.eye(16, dtype=np.float32)[labels] + 0.01 * rng.standard_normal((200, 16))
    scores = clustering.clustering_scores(
        torch.from_numpy(x).float(), torch.from_numpy(labels), seeds=5
    )["nmi"]
    assert max(scores) == pytest.approx(100)  # first centres may fall into one class
    assert min(scores) > 60


@pytest.mark.filterwarnings("ignore:faiss is not installed")
def test_seed_decides(backend, clustered):
    x, labels = (torch.from_numpy(array) for array in clustered())
    x = torch.nn.functional.normalize(x)
    scores = clustering.clustering_scores(x, labels, seeds=3)["nmi"]
    assert clustering.clustering_scores(x, labels, seeds=2)["nmi"].tolist() == scores[:2].tolist()
    assert len(set(scores)) == 3


@pytest.mark.filterwarnings("ignore:faiss is not installed")
def test_constant_embeddings_share_no_information(backend):
    scores = clustering.clustering_scores(torch.ones(60, 8), torch.arange(60) // 6, seeds=1)
    assert scores["nmi"][0] < 60
    assert abs(scores["ami"][0]) < 30  # what chance gives is taken off


def test_the_fallback_to_scikit_learn_warns(monkeypatch, clustered):
    monkeypatch.setattr(clustering, "find_spec", lambda name: None)
    with pytest.warns(UserWarning, match=r"NMI comes from scikit-learn.*lowlabel\[cpu\]"):
        evaluate_retrieval(*clustered(images=100, classes=10), nmi=True)


@pytest.mark.filterwarnings("ignore:faiss is not installed")
def test_scores_of_an_evaluation(monkeypatch, clustered):
    x, labels = clustered(images=200, classes=20)
    seen = []

    def cluster(rows, count, seed):
        seen.append((rows.shape, count, seed))
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
        return (np.arange(len(rows)) + seed) % (20 - seed)

    monkeypatch.setattr(clustering, "cluster", cluster)
    result = evaluate_retrieval(x, labels, nmi=True, nmi_seeds=4)
    plain = [plain_nmi(labels.tolist(), [(i + s) % (20 - s) for i in range(200)]) for s in range(4)]
    assert result.per_seed["nmi"] == pytest.approx(plain)
    assert result.metrics["nmi"] == pytest.approx(np.mean(plain))
    width = t.ppf(0.975, 3) * np.std(plain, ddof=1) / 2
    assert result.ci95["nmi"] == pytest.approx(width)
    assert result.ci95_definition.endswith(
        "of NMI, AMI and F1: Student's t over 4 seeds of k-means"
    )
    assert "nmi" not in result.per_query
    once = evaluate_retrieval(
        x[:50], labels[:50], gallery=(x[50:], labels[50:]), nmi=True, nmi_seeds=1
    )
    assert np.isnan(once.ci95["ami"])
    assert seen == [((200, 24), 20, seed) for seed in (0, 1, 2, 3, 0)]
    with pytest.raises(InputError, match="which NMI cannot use"):
        evaluate_retrieval(x, labels, nmi=True, post=("diffusion:5",))
    with pytest.raises(InputError, match="nmi_seeds=0 must be"):
        evaluate_retrieval(x, labels, nmi=True, nmi_seeds=0)
