"""Features averaged over several scales, as in DINO's landmark retrieval."""

from collections.abc import Callable, Sequence

import torch
from torch.nn.functional import interpolate, normalize


def embed_scales(
    images: torch.Tensor,
    scales: Sequence[float],
    patch: int,
    embed: Callable[[torch.Tensor], torch.Tensor],
) -> torch.Tensor:
    """Embeds images at each scale and averages the features.

    With several scales, the mean of each image is normalised to length 1. The reference (Caron et
    al., ICCV 2021, arXiv:2104.14294) divides by the norm of the whole batch, which is the same
    only for single images.

    Args:
        images: Normalised images [B, 3, H, W].
        scales: Factors on height and width.
        patch: Side of the model's patches in pixels; images are cropped at the right and the
            bottom to whole patches.
        embed: Maps images to float32 features [B, D].

    Returns:
        float32 [B, D].
    """
    features = [embed(whole_patches(_scaled(images, scale), patch)) for scale in scales]
    if len(features) == 1:
        return features[0]
    return normalize(torch.stack(features).mean(dim=0), dim=1)


def _scaled(images: torch.Tensor, scale: float) -> torch.Tensor:
    if scale == 1.0:
        return images
    return interpolate(images, scale_factor=scale, mode="bilinear", align_corners=False)


def whole_patches(images: torch.Tensor, patch: int) -> torch.Tensor:
    """Crops images to whole patches; images narrower than a patch are first enlarged to one."""
    height, width = images.shape[-2:]
    if min(height, width) < patch:
        size = (max(height, patch), max(width, patch))
        images = interpolate(images, size=size, mode="bilinear", align_corners=False)
        height, width = size
    return images[..., : height - height % patch, : width - width % patch]
