"""One task of any number of queries: scores by blocks, with classes of any size."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from lowlabel.fewshot.decisions import (
    can_lose_differences,
    explained,
    refuse_lost_differences,
    refuse_overflow,
)
from lowlabel.fewshot.methods import Method
from lowlabel.fewshot.methods.base import Scorer
from lowlabel.fewshot.preparation.prepared import Prepared
from lowlabel.fewshot.support import Support
from lowlabel.scale import magnitudes

_BLOCK_ELEMENTS = 2**21  # scores of a block, which some methods hold several times in float64


@torch.inference_mode()
def score_blocks(
    method: Method, prepared: Prepared, support: Support, query: Tensor, seed: tuple[int, int]
) -> Iterator[Tensor]:
    """Fits a method to one task, and scores its queries by blocks, or all if it is transductive.

    Args:
        method: The method.
        prepared: Features and base classes as the method takes them.
        support: The labelled images, T = 1.
        query: Transformed features of the images to classify, [Q, D].
        seed: Seed and index of the task.

    Yields:
        Scores of the next queries, [q, ways]; the first of equal classes is the prediction.

    Raises:
        InputError: As `lowlabel.fewshot.decisions.accuracies`; after the last block if rounding
            hides every difference.
    """
    ordered, back = support, None
    if support.rows.dtype == torch.float64:
        ordered, back = _shortest_first(support)
    with explained(method, prepared):
        fitted = method.fit(ordered, prepared.base, [seed])
    scorer = fitted if back is None else lambda part: fitted(part)[..., back]
    yield from apply_blocks(method, prepared, scorer, query, support.ways, support.means)


@torch.inference_mode()
def apply_blocks(
    method: Method,
    prepared: Prepared,
    scorer: Scorer,
    query: Tensor,
    ways: int,
    means: Callable[[], Tensor],
) -> Iterator[Tensor]:
    """Scores queries by blocks; see `score_blocks`.

    Args:
        method: The method.
        prepared: Features and base classes as the method takes them.
        scorer: The method, fitted to one task.
        query: Transformed features of the images to classify, [Q, D].
        ways: Number of classes.
        means: Computes the mean of each class, [1, ways, D].
    """
    block = max(1, _BLOCK_ELEMENTS // max(ways, query.shape[1]))
    spread = query.new_zeros(1)
    for part in query.split(len(query) if method.transductive else block):
        with explained(method, prepared):
            scores = scorer(part[None])[0]
        refuse_overflow(method, scores.amax(-1), prepared)
        if can_lose_differences(method):
            spread = torch.maximum(spread, (scores - scores[:, :1]).abs().max().to(spread.dtype))
        yield scores
    if can_lose_differences(method):
        refuse_lost_differences(method, spread, means, prepared)


def _shortest_first(support: Support) -> tuple[Support, Tensor]:
    """Orders the classes by their largest entry: scores are relative to the first one.

    Returns:
        The support, and the place of each class in it, [ways].
    """
    largest = magnitudes(support.rows)[0, :, 0]
    by_class = largest.new_zeros(support.ways).scatter_reduce_(0, support.labels, largest, "amax")
    order = by_class.argsort()
    back = order.argsort()
    rows = back[support.labels].argsort(stable=True)
    sizes = tuple(support.sizes[place] for place in order.tolist())
    return Support(support.rows[:, rows], sizes), back
