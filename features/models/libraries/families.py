"""Families of models of Hugging Face transformers, and how each of them gives features."""

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Family:
    """How the models of one `model_type` of transformers give features.

    Attributes:
        model: Class of transformers that gives the features of images.
        pooling: The family's own pooling, which is what its classifier in transformers takes:
            "cls", "mean", or "head" for `pooler_output`.
        before: Number of tokens before the patches, without registers.
        class_token: Where the class token is: the first "token", the "pooler" (a norm after the
            first token), or "" for a family without one.
        norm: The final norm, by which the tokens of earlier blocks are normalised too; empty where
            the family does not have such tokens.
        arguments: Further arguments of the class.
    """

    model: str
    pooling: Literal["cls", "mean", "head"]
    before: int = 0
    class_token: Literal["token", "pooler", ""] = ""
    norm: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)


def _vit(model: str, norm: str = "layernorm", before: int = 1, **arguments: Any) -> Family:
    return Family(model, "cls", before, "token", norm, arguments)


# The pooler of these (a dense layer and tanh after the class token) is left out: self-supervised
# checkpoints have none, where transformers would make one at random, and no classifier takes it.
_NO_POOLER: dict[str, Any] = {"add_pooling_layer": False}

FAMILIES: dict[str, Family] = {
    "clip": Family("CLIPVisionModel", "head", 1, "pooler"),
    "clip_vision_model": Family("CLIPVisionModel", "head", 1, "pooler"),
    "convnext": Family("ConvNextModel", "head"),
    "convnextv2": Family("ConvNextV2Model", "head"),
    "deit": _vit("DeiTModel", before=2, **_NO_POOLER),
    "dinov2": _vit("Dinov2Model"),
    "dinov2_with_registers": _vit("Dinov2WithRegistersModel"),
    "dinov3_convnext": Family("DINOv3ConvNextModel", "head", 1),
    "dinov3_vit": _vit("DINOv3ViTModel", norm="norm"),
    "ijepa": Family("IJepaModel", "mean", arguments=_NO_POOLER),
    "siglip": Family("SiglipVisionModel", "head"),
    "siglip_vision_model": Family("SiglipVisionModel", "head"),
    "swin": Family("SwinModel", "head"),
    "swinv2": Family("Swinv2Model", "head"),
    "vit": _vit("ViTModel", **_NO_POOLER),
    "vit_mae": _vit("ViTMAEModel"),
    "vit_msn": _vit("ViTMSNModel"),
}
PROJECTED = "CLIPVisionModelWithProjection"  # CLIP with `projection=True`
