"""The attention of a vision transformer's class token to the patches of an image."""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from lowlabel.analysis.attention.calls import AttentionCall, recorded
from lowlabel.errors import InputError, UnknownNameError
from lowlabel.features import Backbone
from lowlabel.features.models.encoders import TimmEncoder
from lowlabel.features.pooling import Tokens

_POOL = "attn_pool"  # where timm pools patches by the attention of a learned query
_BLOCK = re.compile(r"(.*\.\d+)(?:\..*)?")
_BRANCH = re.compile(r"\.attns\.\d+.*")  # branches of one block, side by side
_ANOTHER = "Choose a vision transformer with a class token, such as --model dino_vits16."


@dataclass(frozen=True)
class ClassAttention:
    """The attention of the class token in one block, for one image.

    For each head, `patches` and `others` together sum to 1.

    Attributes:
        block: Name of the block, such as "blocks.11".
        patches: Attention to each patch, float64 [heads, rows, columns].
        others: Attention to the class, distillation and register tokens, float64 [heads, tokens].
        extent: Part of the input's height and width that the patches cover; below 1 where the
            sides are no multiples of the patch.
    """

    block: str
    patches: NDArray[np.float64]
    others: NDArray[np.float64]
    extent: tuple[float, float] = (1.0, 1.0)

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean of the heads, [rows, columns]."""
        mean: NDArray[np.float64] = self.patches.mean(axis=0)
        return mean

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        return self.patches.shape[1], self.patches.shape[2]


class PatchTokens(NamedTuple):
    """Patch tokens of one image after the final norm, float32 [rows, columns, D]."""

    values: NDArray[np.float32]
    extent: tuple[float, float]


class _Pass(NamedTuple):
    """One forward pass: the tokens if the model shows them, and the attention calls."""

    tokens: Tokens | None
    calls: Sequence[AttentionCall]
    size: tuple[int, int]


def class_attention(
    backbone: Backbone, pixels: NDArray[np.uint8], block: str | None = None
) -> ClassAttention:
    """Reads the attention of the class token to the patches of an image.

    It is what the forward pass computes, with query and key norms, rotary positions and relative
    position biases. Models that pool their patches by the attention of a learned query have that
    query instead of a class token.

    Args:
        backbone: A vision transformer.
        pixels: The decoded image, uint8 [H, W, 3], as `backbone.transform.read` returns it.
        block: Number of the block ("11"; "-1" is the last one) or its name ("blocks.11"); the last
            one by default.

    Raises:
        InputError: If the model has no attention of a class token that can be read.
        UnknownNameError: If it has no such block.
    """
    done = _forward(backbone, pixels)
    count = _patch_count(backbone, done)
    grid = grid_of(count, done.size, backbone.encoder.patch)
    blocks = _blocks(backbone, done, count)
    name = _chosen(blocks, block)
    modules = [call.module for call in blocks[name]]
    if len(set(modules)) < len(modules):
        raise InputError(
            f"{name} of {backbone.name} combines {len(modules)} softmaxes per head, none of which "
            "is its attention",
            _ANOTHER,
        )
    weights = torch.cat([call.weights for call in blocks[name]]).cpu().numpy()
    others, patches = np.split(weights, [weights.shape[1] - count], axis=1)
    return ClassAttention(name, patches.reshape(-1, *grid), others, _extent(backbone, pixels, grid))


def patch_tokens(backbone: Backbone, pixels: NDArray[np.uint8]) -> PatchTokens:
    """Computes the patch tokens of an image after the final norm.

    Args:
        backbone: A model with patches, with or without attention.
        pixels: As for `class_attention`.

    Raises:
        InputError: If the model hides its patch tokens or has none.
    """
    images = backbone.network_input(torch.from_numpy(pixels.copy())[None])
    with torch.inference_mode():
        patches = backbone.encoder.tokens(images).patches[0].float().cpu().numpy()
    if not len(patches):
        raise InputError(f"{backbone.name} gives class tokens and no patch tokens", _ANOTHER)
    size = images.shape[-2], images.shape[-1]
    grid = grid_of(len(patches), size, backbone.encoder.patch)
    return PatchTokens(patches.reshape(*grid, -1), _extent(backbone, pixels, grid))


def grid_of(patches: int, size: tuple[int, int], patch: int = 1) -> tuple[int, int]:
    """Rows and columns of square patches that fill an input.

    Args:
        patches: Number of patches.
        size: Height and width of the input in pixels.
        patch: Side of a patch in pixels, if known. Models that merge patches have fewer.

    Raises:
        InputError: If no grid of that many patches has the input's aspect ratio.
    """
    height, width = size
    rows, columns = height // patch, width // patch
    if patch > 1 and rows * columns == patches:
        return rows, columns
    fitting = [
        (abs(rows - patches // rows * height / width), rows)
        for rows in range(1, patches + 1)
        if patches % rows == 0
    ]
    off, rows = min(fitting)
    if off >= 1:
        raise InputError(
            f"{patches} patches are no grid on an input of {width}×{height} pixels",
            "Choose another --resolution.",
        )
    return rows, patches // rows


def _forward(backbone: Backbone, pixels: NDArray[np.uint8]) -> _Pass:
    images = backbone.network_input(torch.from_numpy(pixels.copy())[None])
    size = images.shape[-2], images.shape[-1]
    encoder, tokens = backbone.encoder, None
    with torch.inference_mode(), recorded(encoder) as recording:
        with suppress(InputError):  # some models hide their tokens
            tokens = encoder.tokens(images)
        if tokens is None or tokens.cls is None:  # a learned query attends in the head
            recording.calls.clear()
            with suppress(InputError):  # some models give no vector
                encoder.head(images)
    return _Pass(tokens, recording.calls, size)


def _patch_count(backbone: Backbone, done: _Pass) -> int:
    patch = backbone.encoder.patch
    count = (done.size[0] // patch) * (done.size[1] // patch) if patch > 1 else 0
    if done.tokens is not None:
        count = done.tokens.patches.shape[1]
    if not done.calls or not count:
        raise InputError(
            f"no attention over the patches of an image can be read from {backbone.name}: "
            "convolutional networks and models of windows or several scales have none",
            _ANOTHER,
        )
    return count


def _blocks(backbone: Backbone, done: _Pass, patches: int) -> dict[str, list[AttentionCall]]:
    """The calls in which a token that stands for the image attends to all patches, by block."""
    encoder = backbone.encoder
    if isinstance(encoder, TimmEncoder):
        prefix, has_class = encoder.prefix_tokens, encoder.has_class_token
    else:
        registers = int(getattr(getattr(encoder, "module", None), "num_register_tokens", 0) or 0)
        prefix, has_class = 1 + registers, done.tokens is None or done.tokens.cls is not None
    found: dict[str, list[AttentionCall]] = {}
    for call in done.calls:
        keys = call.weights.shape[1]
        pools = _POOL in call.module.split(".")
        one = call.queries == 1 if pools or not has_class else call.queries in (1, keys)
        # A learned query may see the patches alone, and not the registers before them.
        known = keys == patches + prefix or (pools and keys == patches)
        if known and one and pools != has_class:
            found.setdefault(_block_name(call.module), []).append(call)
    if not found and not has_class:
        raise InputError(
            f"{backbone.name} has no class token whose attention could be drawn",
            f"{_ANOTHER} --show pca draws the patch tokens of this model.",
        )
    if not found:
        raise InputError(
            f"the attention of {backbone.name} to its {patches} patches cannot be read", _ANOTHER
        )
    return found


def _block_name(module: str) -> str:
    stem = _BRANCH.sub("", module)
    match = _BLOCK.fullmatch(stem)
    return (match[1] if match else stem).removeprefix("module.")


def _chosen(blocks: dict[str, list[AttentionCall]], wanted: str | None) -> str:
    names = list(blocks)
    if wanted is None or wanted == "-1":
        return names[-1]
    if re.fullmatch(r"-\d+", wanted) and 0 < -int(wanted) <= len(names):
        return names[int(wanted)]
    for name in names:
        if wanted in (name, name.rpartition(".")[2]):
            return name
    raise UnknownNameError("block with class attention", wanted, names)


def _extent(
    backbone: Backbone, pixels: NDArray[np.uint8], grid: tuple[int, int]
) -> tuple[float, float]:
    patch = backbone.encoder.patch
    covered = [
        count * patch / side if count == side // patch else 1.0
        for count, side in zip(grid, pixels.shape[:2], strict=True)
    ]
    return covered[0], covered[1]
