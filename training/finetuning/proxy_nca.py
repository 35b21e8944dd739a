"""Proxy-NCA in the form of the published tables, which pytorch-metric-learning does not have."""

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from lowlabel.errors import InputError

_START_STD = 1 / 8


class ProxyNCA(nn.Module):
    """Proxy-NCA (Movshovitz-Attias et al., ICCV 2017, arXiv:1703.07464).

    One proxy per class. With embedding x and proxies p, both scaled to length `scale`, the loss is
    the mean over the batch of ‖x - p_y‖² + log Σ_{j ≠ y} exp(-‖x - p_j‖²). The positive proxy is
    left out of the denominator, as in the paper and in the baselines of Roth et al. (ICML 2020,
    arXiv:2002.08473), which scale to length 3. pytorch-metric-learning's loss keeps it.

    Args:
        num_classes: Number of classes.
        embedding_size: Dimension of the embeddings.
        scale: Length of embeddings and proxies.

    Raises:
        InputError: If `scale` is not above 0.
    """

    def __init__(self, num_classes: int, embedding_size: int, scale: float = 3.0) -> None:
        super().__init__()
        if not scale > 0:
            raise InputError(f"scale={scale} of proxy-nca must be above 0")
        self.scale = scale
        self.proxies = nn.Parameter(torch.randn(num_classes, embedding_size) * _START_STD)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of embeddings [B, D] with labels [B]."""
        cosines = normalize(embeddings, dim=1) @ normalize(self.proxies, dim=1).T
        distances = 2 * self.scale**2 * (1 - cosines)
        own = labels[:, None]
        positive = distances.gather(1, own).squeeze(1)
        others = (-distances).scatter(1, own, float("-inf"))
        return (positive + others.logsumexp(dim=1)).mean()
