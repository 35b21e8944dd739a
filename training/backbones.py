"""Backbones to train: timm models by short or full name."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from lowlabel.errors import InputError, UnknownNameError
from lowlabel.features.models.architectures import create, has_fixed_input
from lowlabel.specs import Option, format_spec, parse_spec
from lowlabel.training.methods.base import MakeBackbone

SHORT_NAMES = {f"vit_{size}": f"vit_{size}_patch16_224" for size in ("tiny", "small", "base")}
_PREFIX = "timm:"


def resolve_architecture(spec: str, image_size: int) -> str:
    """Resolves `--arch` to timm's `NAME,option=value…`, with the image size if the model needs it.

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
    return format_spec(name, options)


def backbone_maker(architecture: str, drop_path: float) -> MakeBackbone:
    """Returns a function that makes the backbone of the student or the teacher.

    Args:
        architecture: The value of `resolve_architecture`.
        drop_path: Stochastic depth of the student's last block; it grows linearly from 0 at the
            first block. Used for transformers only.
    """
    name, options = parse_spec(architecture)
    extra: dict[str, Any] = {"pretrained": False}
    if has_fixed_input(name):
        extra["dynamic_img_size"] = True

    def make(is_student: bool) -> nn.Module:
        stochastic = is_student and has_fixed_input(name)
        depth: dict[str, Any] = {"drop_path_rate": drop_path} if stochastic else {}
        backbone = create(name, options, **extra, **depth)
        _check_size(architecture, backbone, options)
        return backbone.train()

    return make


def _check_size(architecture: str, backbone: nn.Module, options: Mapping[str, Option]) -> None:
    patch = getattr(getattr(backbone, "patch_embed", None), "patch_size", None)
    side = options.get("img_size")
    if patch and isinstance(side, int) and side % patch[0]:
        raise InputError(
            f"{architecture}: the view size {side} is not a multiple of the patch size {patch[0]}",
            f"Give --set global_size and local_size multiples of {patch[0]}.",
        )


def parameter_count(module: nn.Module) -> int:
    """Number of parameters of a module."""
    return sum(parameter.numel() for parameter in module.parameters())
