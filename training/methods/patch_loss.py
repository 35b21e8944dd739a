"""Self-distillation between the tokens of views that show the same place."""

from collections.abc import Callable

import torch
from torch import Tensor

from lowlabel.training.methods.patch_matching import Matches


def token_weights(matches: Matches, tokens: tuple[int, int], cls_weight: float | None) -> Tensor:
    """What each pair of tokens counts for in the loss of one pair of views.

    Args:
        matches: Patches of the student's view (a) and of the teacher's (b).
        tokens: Number of tokens of the student's and of the teacher's view, CLS included.
        cls_weight: None for a mean in which the CLS token counts as one token among the matched
            ones; else the weight λ of the CLS tokens' mean beside 1 − λ of the patches'. Without
            any matched patch the CLS tokens count for all.

    Returns:
        float32 [B, student's tokens, teacher's tokens], the sum of which is 1.
    """
    batch = len(matches.mask)
    patches = matches.mask.sum()
    if cls_weight is None:
        cls = patch = 1 / (batch + patches)
    else:
        cls = torch.where(patches > 0, cls_weight, 1.0) / batch
        patch = (1 - cls_weight) / patches.clamp(min=1)
    weights = torch.zeros(batch, *tokens, device=matches.mask.device)
    places = (matches.a + 1) * tokens[1] + matches.b + 1
    weights.flatten(1).scatter_add_(1, places, matches.mask * patch)
    weights[:, 0, 0] = cls
    return weights


def patch_distillation_loss(
    student_logits: list[Tensor],
    targets: Tensor,
    weights: Callable[[int, int], Tensor],
    temperature: float,
) -> Tensor:
    """Cross-entropy between matched tokens of every teacher view and every *other* student view.

    The loss is linear in the teacher's distributions, so that what one student view's tokens are
    compared with is summed first: Σ w·CE(q, z) = (Σ w)·logsumexp(z) − ⟨Σ w·q, z⟩.

    Args:
        student_logits: V tensors [B, N_v, K]; the first T views are those that the teacher sees.
        targets: The teacher's distributions [T, B, N, K], without gradient.
        weights: Gives the `token_weights` of a student's view with a teacher's, by their numbers.
        temperature: The student's, τ_s.

    Returns:
        The mean over the pairs (t, v ≠ t) of the weighted sum over their tokens.
    """
    teachers, views = len(targets), len(student_logits)
    pairs = teachers * views - min(teachers, views)
    total = targets.new_zeros(())
    # Half precision would round the targets' sums.
    with torch.autocast(targets.device.type, enabled=False):
        for view, logits in enumerate(student_logits):
            wanted = torch.zeros_like(logits, dtype=torch.float32)
            mass = wanted.new_zeros(logits.shape[:2])
            for teacher in range(teachers):
                if teacher != view:
                    pair = weights(view, teacher)
                    wanted = wanted + pair @ targets[teacher]
                    mass = mass + pair.sum(dim=-1)
            scaled = logits.float() / temperature
            total = total + (mass * scaled.logsumexp(dim=-1)).sum() - (wanted * scaled).sum()
    return total / pairs
