"""Retrieval scores of single queries from the ranks of their positives."""

from collections.abc import Sequence

import torch
from torch import Tensor


def score_ranks(ranks: Tensor, ks: Sequence[int]) -> dict[str, Tensor]:
    """Scores queries that have R positives each.

    P(i) is the share of positives among the first i images.

    - recall@k: whether a positive is among the first k.
    - precision@1: whether the first image is a positive; the same as recall@1.
    - map@r: (1/R) Σ P(i) over the positives among the first R (Musgrave et al., "A Metric
      Learning Reality Check", ECCV 2020, arXiv:2003.08505).
    - r_precision: the share of positives among the first R (same source).
    - map: (1/R) Σ P(i) over all positives.
    - mrr: 1 / rank of the first positive.

    Args:
        ranks: Rising ranks of the positives from 1 on, int64 [queries, R] with R ≥ 1.
        ks: The K of Recall@K.

    Returns:
        Scores in percent, float64 [queries] each.
    """
    positives = ranks.shape[1]
    found = torch.arange(1, positives + 1, device=ranks.device)
    precision = found / ranks.double()
    in_first_r = ranks <= positives
    first = ranks[:, 0]
    scores = {f"recall@{k}": first <= k for k in ks}
    scores |= {
        "precision@1": first == 1,
        "map@r": (precision * in_first_r).mean(dim=1),
        "r_precision": in_first_r.double().mean(dim=1),
        "map": precision.mean(dim=1),
        "mrr": 1 / first.double(),
    }
    return {name: 100 * values.double() for name, values in scores.items()}


def score_names(ks: Sequence[int], *, whole: bool = True) -> list[str]:
    """Names of the scores, in display order.

    Args:
        ks: The K of Recall@K.
        whole: Whether to include mAP and MRR, which need whole rankings.
    """
    names = [*(f"recall@{k}" for k in ks), "precision@1", "map@r", "r_precision"]
    return [*names, "map", "mrr"] if whole else names
