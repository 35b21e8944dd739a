"""Retrieval scores of single queries from the ranks of their positives."""

from collections.abc import Sequence

import torch
from torch import Tensor


def score_ranks(ranks: Tensor, ks: Sequence[int], map_at: Sequence[int] = ()) -> dict[str, Tensor]:
    """Scores queries that have R positives each.

    P(i) is the share of positives among the first i images.

    - recall@k: whether a positive is among the first k.
    - precision@1: whether the first image is a positive; the same as recall@1.
    - map@r: (1/R) Σ P(i) over the positives among the first R (Musgrave et al., "A Metric
      Learning Reality Check", ECCV 2020, arXiv:2003.08505).
    - r_precision: the share of positives among the first R (same source).
    - map@k: (1/R) Σ P(i) over the positives among the first k, and map@k_released: the same with
      1/(R + 1), which counts the query itself among what is to be found, as the code of Roth et
      al. ("Revisiting Training Strategies and Generalization Performance in Deep Metric Learning",
      ICML 2020, arXiv:2002.08473) does: a perfect ranking scores R/(R + 1).
    - map: (1/R) Σ P(i) over all positives.
    - mrr: 1 / rank of the first positive.

    Args:
        ranks: Rising ranks of the positives from 1 on, int64 [queries, R] with R ≥ 1.
        ks: The K of Recall@K.
        map_at: The k of mAP@k.

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
        **_limited(precision, ranks, map_at),
        "map": precision.mean(dim=1),
        "mrr": 1 / first.double(),
    }
    return {name: 100 * values.double() for name, values in scores.items()}


def _limited(precision: Tensor, ranks: Tensor, map_at: Sequence[int]) -> dict[str, Tensor]:
    """mAP@k by both divisors."""
    scores = {}
    for k in map_at:
        total = (precision * (ranks <= k)).sum(dim=1)
        scores[f"map@{k}"] = total / ranks.shape[1]
        scores[f"map@{k}_released"] = total / (ranks.shape[1] + 1)
    return scores


def score_names(ks: Sequence[int], map_at: Sequence[int] = (), *, whole: bool = True) -> list[str]:
    """Names of the scores, in display order.

    Args:
        ks: The K of Recall@K.
        map_at: The k of mAP@k.
        whole: Whether to include mAP and MRR, which need whole rankings.
    """
    names = [*(f"recall@{k}" for k in ks), "precision@1", "map@r", "r_precision"]
    names += [name for k in map_at for name in (f"map@{k}", f"map@{k}_released")]
    return [*names, "map", "mrr"] if whole else names
