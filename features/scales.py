"""Features of images at several scales, as DINO takes them for landmarks."""

from collections.abc import Callable, Sequence

import torch
from torch.nn.functional import interpolate, normalize


def embed_scales(
    images: torch.Tensor,
    scales: Sequence[float],
    patch: int,
    embed: Callable[[torch.Tensor], torch.Tensor],
) -> torch.Tensor:
    """Embeds images at each scale and averages; with several, each image's mean has length 1.

    The reference (Caron et al., ICCV 2021, arXiv:2104.14294) divides by the norm of the whole
    batch, which is the same only for single images.

    Args:
        images: Normalised, [B, 3, H, W].
        scales: Factors on height and width.
        patch: Side of the model's patches in pixels; what is left over at the right and the lower
            edge is cut off.
        embed: From images to float32 features [B, D].

    Returns:
        float32 [B, D].
    """
    features = [embed(_whole_patches(_scaled(images, scale), patch)) for scale in scales]
    if len(features) == 1:
        return features[0]
    return normalize(torch.stack(features).mean(dim=0), dim=1)


def _scaled(images: torch.Tensor, scale: float) -> torch.Tensor:
    if scale == 1.0:
        return images
    return interpolate(images, scale_factor=scale, mode="bilinear", align_corners=False)


def _whole_patches(images: torch.Tensor, patch: int) -> torch.Tensor:
    """Cuts to whole patches; an image that is narrower than one is stretched to it."""
    height, width = images.shape[-2:]
    if min(height, width) < patch:
        size = (max(height, patch), max(width, patch))
        images = interpolate(images, size=size, mode="bilinear", align_corners=False)
        height, width = size
    return images[..., : height - height % patch, : width - width % patch]
