import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from lowlabel.retrieval import evaluate_retrieval
from lowlabel.retrieval.metrics import score_names, score_ranks


def test_scores_of_known_ranks():
    scores = score_ranks(torch.tensor([[1, 2, 3], [2, 3, 10], [4, 5, 6]]), ks=(1, 2, 4))
    thirds = 100 / 3
    expected = {
        "recall@1": [100, 0, 0],
        "recall@2": [100, 100, 0],
        "recall@4": [100, 100, 100],
        "precision@1": [100, 0, 0],
        "map@r": [100, thirds * (1 / 2 + 2 / 3), 0],
        "r_precision": [100, 2 * thirds, 0],
        "map": [100, thirds * (1 / 2 + 2 / 3 + 3 / 10), thirds * (1 / 4 + 2 / 5 + 3 / 6)],
        "mrr": [100, 50, 25],
    }
    assert list(scores) == score_names((1, 2, 4))
    for name, values in expected.items():
        assert scores[name].tolist() == pytest.approx(values), name


def test_map_is_scikit_learn_s_average_precision(clustered):
    x, labels = clustered()
    result = evaluate_retrieval(x, labels)
    unit = x / np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True)
    similarity = unit @ unit.T
    for i in range(0, len(x), 7):
        others = np.arange(len(x)) != i
        expected = average_precision_score(labels[others] == labels[i], similarity[i, others])
        assert result.per_query["map"][i] == pytest.approx(100 * expected, abs=1e-9)


@pytest.mark.parametrize("search", ["exact", "flat"])
def test_map_at_k_is_that_of_a_plain_loop(clustered, search):
    if search == "flat":
        pytest.importorskip("faiss")
    x, labels = clustered()
    at = (1, 30, len(x) - 1)
    result = evaluate_retrieval(x, labels, map_at=at, search=search)
    unit = x / np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True)
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, -np.inf)
    for i in range(0, len(x), 7):
        hits = (labels == labels[i])[np.argsort(-similarity[i])[:-1]]
        for k in at:
            precision = np.cumsum(hits)[:k] / np.arange(1, k + 1)
            total = 100 * np.sum(precision * hits[:k])
            found = result.per_query
            assert found[f"map@{k}"][i] == pytest.approx(total / hits.sum(), abs=1e-9)
            assert found[f"map@{k}_released"][i] == pytest.approx(
                total / (hits.sum() + 1), abs=1e-9
            )
    assert "map@1" not in evaluate_retrieval(x, labels).metrics
    if search == "exact":
        assert np.array_equal(result.per_query[f"map@{at[-1]}"], result.per_query["map"])
