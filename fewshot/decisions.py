"""Scores of a block of tasks by any method, and the accuracies that they decide."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lowlabel.errors import InputError
from lowlabel.fewshot.episodes import Episodes
from lowlabel.fewshot.methods import Method
from lowlabel.fewshot.preparation.prepared import Prepared
from lowlabel.fewshot.solvers.cholesky import NotSolvedError
from lowlabel.lazy_rows import of_rows
from lowlabel.scale import magnitudes

_RESCALE = "Scale the features to length 1: norm=l2, or dc-sslvit instead of dc."


def accuracies(
    method: Method, prepared: Prepared, episodes: Episodes, seeds: Sequence[tuple[int, int]]
) -> NDArray[np.float64]:
    """Percentage of the queries of each task that are classified correctly, [T].

    Args:
        method: The method.
        prepared: Features and base classes as the method takes them.
        episodes: The tasks.
        seeds: Seed and index of each task.

    Raises:
        InputError: If the method overflows on these features, or rounding hides every difference
            between classes.
    """
    tasks, ways, shots = episodes.support.shape
    rows = np.concatenate([episodes.support.reshape(tasks, -1), episodes.query], 1)
    flat = torch.from_numpy(rows.reshape(-1)).to(prepared.features.device)
    gathered = prepared.features.index_select(0, flat)  # twice as fast as [flat]
    gathered = gathered.view(*rows.shape, -1)
    support = gathered[:, : ways * shots].unflatten(1, (ways, shots))
    scores = _scores(method, support, gathered[:, ways * shots :], prepared, seeds)
    best = scores.max(-1)  # the first class wins a tie
    refuse_overflow(method, best.values, prepared)
    if can_lose_differences(method):
        spread = (scores - scores[..., :1]).abs().amax((1, 2))
        refuse_lost_differences(method, spread, lambda: support.mean(2), prepared)
    correct = best.indices.cpu().numpy() == episodes.query_ways
    percent: NDArray[np.float64] = 100.0 * correct.sum(1) / correct.shape[1]
    return percent


def _scores(
    method: Method,
    support: Tensor,
    query: Tensor,
    prepared: Prepared,
    seeds: Sequence[tuple[int, int]],
) -> Tensor:
    """Scores [T, Q, ways]."""
    order = None
    if prepared.features.dtype == torch.float64:
        # Scores are relative to the first class, beside which much shorter ones would be rounding.
        order = magnitudes(support.flatten(2))[..., 0].argsort(1)
        support = support.take_along_dim(order[:, :, None, None], 1)
    with explained(method, prepared):
        scores = method.seeded_scores(support, query, prepared.base, seeds)
    return scores if order is None else scores.take_along_dim(order.argsort(1)[:, None], 2)


@contextmanager
def explained(method: Method, prepared: Prepared) -> Iterator[None]:
    """Turns what a method cannot solve into an `InputError`."""
    try:
        yield
    except (NotSolvedError, torch.linalg.LinAlgError) as error:  # type: ignore[attr-defined]
        raise InputError(
            f"{method.spec} cannot be solved on these features, {_largest(prepared)}: {error}",
            _RESCALE,
        ) from error


def refuse_overflow(method: Method, best: Tensor, prepared: Prepared) -> None:
    """Raises an `InputError` if a best score is not finite."""
    if not best.sum().isfinite():
        raise InputError(
            f"{method.spec} overflows on these features, {_largest(prepared)}", _RESCALE
        )


def can_lose_differences(method: Method) -> bool:
    """Whether rounding may hide every difference of a method's scores."""
    return method.lengths == "absolute" or bool(method.resolution)


def refuse_lost_differences(
    method: Method, spread: Tensor, means: Callable[[], Tensor], prepared: Prepared
) -> None:
    """Raises an `InputError` if all classes of a task tie, and their supports are not the same.

    Args:
        method: The method.
        spread: Largest difference of a score from the first class's, for each task [T].
        means: Computes the mean of each class's support, [T, ways, D].
        prepared: The features.
    """
    lost = spread <= method.resolution
    if not lost.any():
        return
    of_lost = means()[lost]
    if (of_lost != of_lost[:, :1]).any():
        raise InputError(
            f"{method.spec} cannot tell the classes of these features apart, "
            f"{_largest(prepared)}: rounding hides the differences of its scores",
            _RESCALE,
        )


def _largest(prepared: Prepared) -> str:
    largest = of_rows(prepared.features, magnitudes).max()
    return f"whose largest entry is {largest.item():.3g}"
