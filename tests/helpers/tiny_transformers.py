"""Tiny random models of transformers by family, saved as the Hub has them."""

from collections.abc import Callable
from pathlib import Path

import torch
import transformers as t
from torch import nn

VIT = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "image_size": 32,
    "patch_size": 8,
}
DINOV2 = {k: v for k, v in VIT.items() if k != "intermediate_size"}
TEXT = {
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "vocab_size": 50,
}
DECODER = {
    "decoder_hidden_size": 16,
    "decoder_num_hidden_layers": 1,
    "decoder_num_attention_heads": 2,
    "decoder_intermediate_size": 16,
}
SWIN = {"image_size": 32, "patch_size": 4, "embed_dim": 16, "depths": [1, 1], "num_heads": [2, 2]}
STAGES = {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1]}
SIDES = {"height": 32, "width": 32}
SQUASHED = t.ViTImageProcessor(size=SIDES)
CROPPED = t.BitImageProcessor(size={"shortest_edge": 36}, crop_size=SIDES)

MODELS: dict[str, tuple[Callable[[], nn.Module], t.BaseImageProcessor]] = {
    "clip": (
        lambda: t.CLIPModel(t.CLIPConfig(vision_config=VIT, text_config=TEXT, projection_dim=24)),
        t.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=SIDES),
    ),
    "clip_vision_model": (
        lambda: t.CLIPVisionModel(t.CLIPVisionConfig(**VIT)),
        t.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=SIDES),
    ),
    "convnext": (
        lambda: t.ConvNextForImageClassification(t.ConvNextConfig(**STAGES)),
        t.ConvNextImageProcessor(size={"shortest_edge": 32}),
    ),
    "convnextv2": (
        lambda: t.ConvNextV2Model(t.ConvNextV2Config(**STAGES)),
        t.ConvNextImageProcessor(size={"shortest_edge": 384}),
    ),
    "deit": (
        lambda: t.DeiTForImageClassificationWithTeacher(t.DeiTConfig(**VIT)),
        t.DeiTImageProcessor(size={"height": 36, "width": 36}, crop_size=SIDES),
    ),
    "dinov2": (lambda: t.Dinov2Model(t.Dinov2Config(**DINOV2)), CROPPED),
    "dinov2_with_registers": (
        lambda: t.Dinov2WithRegistersModel(
            t.Dinov2WithRegistersConfig(**DINOV2, num_register_tokens=3)
        ),
        CROPPED,
    ),
    "dinov3_convnext": (
        lambda: t.DINOv3ConvNextModel(t.DINOv3ConvNextConfig(**STAGES)),
        t.DINOv3ViTImageProcessor(size=SIDES),
    ),
    "dinov3_vit": (
        lambda: t.DINOv3ViTModel(t.DINOv3ViTConfig(**VIT, num_register_tokens=4)),
        t.DINOv3ViTImageProcessor(size=SIDES),
    ),
    "ijepa": (lambda: t.IJepaModel(t.IJepaConfig(**VIT), add_pooling_layer=False), SQUASHED),
    "siglip": (
        lambda: t.SiglipModel(t.SiglipConfig(vision_config=VIT, text_config=TEXT)),
        t.SiglipImageProcessor(size=SIDES),
    ),
    "siglip_vision_model": (
        lambda: t.SiglipVisionModel(t.SiglipVisionConfig(**VIT)),
        t.SiglipImageProcessor(size=SIDES),
    ),
    "swin": (
        lambda: t.SwinForImageClassification(t.SwinConfig(**SWIN, window_size=4)),
        SQUASHED,
    ),
    "swinv2": (lambda: t.Swinv2Model(t.Swinv2Config(**SWIN, window_size=4)), SQUASHED),
    "vit": (lambda: t.ViTForImageClassification(t.ViTConfig(**VIT)), SQUASHED),
    "vit_mae": (lambda: t.ViTMAEForPreTraining(t.ViTMAEConfig(**VIT, **DECODER)), SQUASHED),
    "vit_msn": (lambda: t.ViTMSNModel(t.ViTMSNConfig(**VIT)), SQUASHED),
}


def save(family: str, folder: Path) -> nn.Module:
    """Saves a model whose every parameter matters, with its processor; gives the model."""
    torch.manual_seed(3)
    build, processor = MODELS[family]
    module = build().eval()
    for parameter in module.parameters():
        if parameter.ndim:
            parameter.data.add_(torch.randn_like(parameter) * 0.1)
    module.save_pretrained(folder)
    processor.save_pretrained(folder)
    return module
