"""PW-Self's loss: self-distillation between tokens that show the same part of the image."""

from collections.abc import Callable

import torch
from torch import Tensor

from lowlabel.training.methods.patch_matching import Matches


def token_weights(matches: Matches, tokens: tuple[int, int], cls_weight: float | None) -> Tensor:
    """Weight of each pair of tokens in the loss of one pair of views.

    Args:
        matches: Matched patches of the student's view (a) and the teacher's view (b).
        tokens: Number of tokens of the student's and of the teacher's view, including CLS.
        cls_weight: Weight λ of the mean over the CLS tokens; the mean over the patches has weight
            1 − λ. None takes one mean over CLS tokens and matched patches. Without any matched
            patch the CLS tokens have weight 1.

    Returns:
        float32 [B, student tokens, teacher tokens], with the sum 1.
    """
    batch = len(matches.mask)
    patches = matches.mask.sum()
    if cls_weight is None:
        cls = patch = 1 / (batch + patches)
    else:
        cls = torch.where(patches > 0, cls_weight, 1.0) / batch
        patch = (1 - cls_weight) / patches.clamp(min=1)
    weights = torch.zeros(batch, *tokens, device=matches.mask.device)
    positions = (matches.a + 1) * tokens[1] + matches.b + 1
    weights.flatten(1).scatter_add_(1, positions, matches.mask * patch)
    weights[:, 0, 0] = cls
    return weights


def patch_distillation_loss(
    student_logits: list[Tensor],
    targets: Tensor,
    weights: Callable[[int, int], Tensor],
    temperature: float,
) -> Tensor:
    """Cross-entropy between matched tokens of every teacher view and every *other* student view.

    The loss is linear in the teacher's distributions, so the weighted targets of a student view are
    summed first: Σ w·CE(q, z) = (Σ w)·logsumexp(z) − ⟨Σ w·q, z⟩.

    Args:
        student_logits: V tensors [B, N_v, K]; the teacher sees the first T views.
        targets: The teacher's distributions [T, B, N, K], without gradient.
        weights: Returns the `token_weights` of a pair, given the indices of the student's and of
            the teacher's view.
        temperature: The student's temperature τ_s.

    Returns:
        The mean over the pairs (t, v ≠ t) of the weighted sum over their tokens.
    """
    teachers, views = len(targets), len(student_logits)
    pairs = teachers * views - min(teachers, views)
    total = targets.new_zeros(())
    # Autocast would round the sums of the targets to half precision.
    with torch.autocast(targets.device.type, enabled=False):
        for view, logits in enumerate(student_logits):
            target = torch.zeros_like(logits, dtype=torch.float32)
            weight = target.new_zeros(logits.shape[:2])
            for teacher in range(teachers):
                if teacher != view:
                    pair = weights(view, teacher)
                    target = target + pair @ targets[teacher]
                    weight = weight + pair.sum(dim=-1)
            scaled = logits.float() / temperature
            total = total + (weight * scaled.logsumexp(dim=-1)).sum() - (target * scaled).sum()
    return total / pairs
