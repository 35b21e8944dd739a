"""Values that reveal a collapse: entropies of the teacher and the spread of the features."""

import torch
from torch.nn import functional

from lowlabel.processes.world import all_reduce_mean


@torch.no_grad()
def mean_entropy(probabilities: torch.Tensor) -> torch.Tensor:
    """Mean entropy, in nats, of distributions [..., K]."""
    entropy: torch.Tensor = torch.special.entr(probabilities).sum(dim=-1).mean()
    return entropy


@torch.no_grad()
def usage_entropy(probabilities: torch.Tensor) -> torch.Tensor:
    """Entropy, in nats, of the mean of distributions [..., K]; 0 if one prototype takes all."""
    mean = probabilities.flatten(0, -2).mean(dim=0)
    entropy: torch.Tensor = torch.special.entr(all_reduce_mean(mean)).sum()
    return entropy


@torch.no_grad()
def feature_std(features: torch.Tensor) -> torch.Tensor:
    """Spread of features [N, D]: 0 if all are equal, about 1 if their directions are uniform.

    The standard deviation over the batch of the L2-normalised features, averaged over the
    dimensions and multiplied by √D.
    """
    unit = functional.normalize(features.detach().float(), dim=-1)
    spread: torch.Tensor = unit.std(dim=0).mean() * unit.shape[-1] ** 0.5
    return spread
