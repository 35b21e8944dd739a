"""Backbones to train: timm models by short or full name, with the methods' initial weights.

A ViT is DINO's (Caron et al., ICCV 2021, arXiv:2104.14294): the class token starts at a standard
deviation of 0.02, and position embeddings are resampled for local views by DINO's rule. A ResNet is
torchvision's: the last batch normalisation of a block starts at 1, not at 0.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import torch
from timm.models.resnet import ResNet
from timm.models.vision_transformer import VisionTransformer
from torch import nn

from lowlabel.errors import InputError, UnknownNameError
from lowlabel.features.models.architectures import create, has_fixed_input, native_resolution
from lowlabel.features.models.positions import (
    check_positions,
    has_positions,
    take_positions,
    use_dino_positions,
)
from lowlabel.features.transforms import height_and_width
from lowlabel.specs import Option, format_spec, parse_spec
from lowlabel.training.methods.base import MakeBackbone

SHORT_NAMES = {f"vit_{size}": f"vit_{size}_patch16_224" for size in ("tiny", "small", "base")}
_PREFIX = "timm:"
_CLASS_TOKEN_STD = 0.02


def resolve_architecture(spec: str, image_size: int) -> str:
    """Resolves `--arch` to timm's `NAME,option=value…`, with the image size if the model needs it.

    The methods' own options are added where they differ from timm's: `pos_embed=dino` to a ViT and
    `zero_init_last=False` to a ResNet. `pos_embed=timm` and `zero_init_last=True` give timm's.

    Args:
        spec: vit_tiny, vit_small, vit_base, resnet… or timm:NAME, each with ,option=value…
        image_size: Side of the global views, for which position embeddings are made.

    Raises:
        UnknownNameError: If the name is no short name and has no prefix timm:.
    """
    name, options = parse_spec(spec.removeprefix(_PREFIX))
    if not spec.startswith(_PREFIX) and not name.startswith("resnet"):
        if name not in {*SHORT_NAMES, *SHORT_NAMES.values()}:
            raise UnknownNameError("architecture", name, [*SHORT_NAMES, "resnet50", "timm:NAME"])
        name = SHORT_NAMES.get(name, name)
    elif name in SHORT_NAMES:
        name = SHORT_NAMES[name]
    if has_fixed_input(name):
        options.setdefault("img_size", image_size)
    for option, (value, other) in _method_options(name).items():
        if options.setdefault(option, value) == other:
            del options[option]
    return format_spec(name, options)


def _method_options(name: str) -> dict[str, tuple[Option, Option]]:
    """Options of an architecture with the methods' value and timm's, which stays unwritten."""
    with torch.device("meta"):  # without memory for its weights
        module = create(name, {}, pretrained=False)
    if isinstance(module, ResNet):
        return {"zero_init_last": (False, True)}
    return {"pos_embed": ("dino", "timm")} if has_positions(module) else {}


def backbone_maker(architecture: str, drop_path: float) -> MakeBackbone:
    """Returns a function that makes the backbone of the student or the teacher.

    Args:
        architecture: The value of `resolve_architecture`.
        drop_path: Stochastic depth of the student's last block; it grows linearly from 0 at the
            first block. Used for transformers only.
    """
    name, options = parse_spec(architecture)
    rule = take_positions(options)
    extra: dict[str, Any] = {"pretrained": False}
    if has_fixed_input(name):
        extra |= _any_size(name, options)

    def make(is_student: bool) -> nn.Module:
        stochastic = is_student and has_fixed_input(name)
        depth: dict[str, Any] = {"drop_path_rate": drop_path} if stochastic else {}
        backbone = create(name, options, **extra, **depth)
        _check_size(architecture, backbone, options)
        if isinstance(backbone, VisionTransformer) and backbone.cls_token is not None:
            nn.init.trunc_normal_(backbone.cls_token, std=_CLASS_TOKEN_STD)
        if rule == "dino":
            check_positions(backbone)
            use_dino_positions(backbone)
        return backbone.train()

    return make


def _any_size(name: str, options: Mapping[str, Option]) -> dict[str, Any]:
    """What makes an architecture take views of any size; XCiT does by itself.

    Raises:
        InputError: If it takes images of one size only.
    """
    with torch.device("meta"), suppress(InputError):  # without memory for its weights
        create(name, options, pretrained=False, dynamic_img_size=True)
        return {"dynamic_img_size": True}
    with torch.device("meta"):
        module = create(name, options, pretrained=False)
        side = 2 * height_and_width(native_resolution(name, options))[0]
        try:
            module(torch.empty(1, 3, side, side))
        except (AssertionError, RuntimeError, ValueError) as error:
            raise InputError(
                f"{name} takes images of one size only, but global and local views differ in size",
                "Give another --arch, such as vit_small or timm:xcit_small_12_p16_224.",
            ) from error
    return {}


def _check_size(architecture: str, backbone: nn.Module, options: Mapping[str, Option]) -> None:
    patch = getattr(getattr(backbone, "patch_embed", None), "patch_size", None)
    patch = patch[0] if isinstance(patch, tuple) else patch  # a number in XCiT
    side = options.get("img_size")
    if patch and isinstance(side, int) and side % patch:
        raise InputError(
            f"{architecture}: the view size {side} is not a multiple of the patch size {patch}",
            f"Give --set global_size and local_size multiples of {patch}.",
        )


def parameter_count(module: nn.Module) -> int:
    """Number of parameters of a module."""
    return sum(parameter.numel() for parameter in module.parameters())
