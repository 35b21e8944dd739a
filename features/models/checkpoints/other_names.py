"""Vision transformers under the names of Hugging Face transformers and of torchvision.

Their tensors are those of timm's networks, but for queries, keys and values, which transformers
keeps apart. Layouts that differ otherwise (BEiT, Swin, ConvNeXt) are left as they are.
"""

import re
from collections.abc import Mapping, Sequence

import torch

from lowlabel.features.models.checkpoints.state_dicts import Level
from lowlabel.features.models.checkpoints.tensor_names import is_harmless, is_head
from lowlabel.features.models.checkpoints.weights_file import Tensors

_TRANSFORMERS = {
    r"embeddings\.(cls_token|mask_token|register_tokens)": r"\1",
    r"embeddings\.distillation_token": "dist_token",
    r"embeddings\.position_embeddings": "pos_embed",
    r"embeddings\.patch_embeddings\.projection\.(weight|bias)": r"patch_embed.proj.\1",
    r"encoder\.layer\.(\d+)\.attention\.attention\.(query|key|value)\.(weight|bias)": (
        r"blocks.\1.attn.\2.\3"
    ),
    r"encoder\.layer\.(\d+)\.attention\.output\.dense\.(weight|bias)": r"blocks.\1.attn.proj.\2",
    r"encoder\.layer\.(\d+)\.intermediate\.dense\.(weight|bias)": r"blocks.\1.mlp.fc1.\2",
    r"encoder\.layer\.(\d+)\.output\.dense\.(weight|bias)": r"blocks.\1.mlp.fc2.\2",
    r"encoder\.layer\.(\d+)\.layernorm_before\.(weight|bias)": r"blocks.\1.norm1.\2",
    r"encoder\.layer\.(\d+)\.layernorm_after\.(weight|bias)": r"blocks.\1.norm2.\2",
    r"encoder\.layer\.(\d+)\.(norm[12]|mlp\.fc[12])\.(weight|bias)": r"blocks.\1.\2.\3",
    r"encoder\.layer\.(\d+)\.mlp\.weights_in\.(weight|bias)": r"blocks.\1.mlp.w12.\2",
    r"encoder\.layer\.(\d+)\.mlp\.weights_out\.(weight|bias)": r"blocks.\1.mlp.w3.\2",
    r"encoder\.layer\.(\d+)\.layer_scale([12])\.lambda1": r"blocks.\1.ls\2.gamma",
    r"layernorm\.(weight|bias)": r"norm.\1",
    r"pooler\.dense\.(weight|bias)": r"head.pooler.\1",
}
_TORCHVISION = {
    r"class_token": "cls_token",
    r"conv_proj\.(weight|bias)": r"patch_embed.proj.\1",
    r"encoder\.pos_embedding": "pos_embed",
    r"encoder\.layers\.encoder_layer_(\d+)\.ln_([12])\.(weight|bias)": r"blocks.\1.norm\2.\3",
    r"encoder\.layers\.encoder_layer_(\d+)\.self_attention\.in_proj_(weight|bias)": (
        r"blocks.\1.attn.qkv.\2"
    ),
    r"encoder\.layers\.encoder_layer_(\d+)\.self_attention\.out_proj\.(weight|bias)": (
        r"blocks.\1.attn.proj.\2"
    ),
    r"encoder\.layers\.encoder_layer_(\d+)\.mlp\.(?:0|linear_1)\.(weight|bias)": (
        r"blocks.\1.mlp.fc1.\2"
    ),
    r"encoder\.layers\.encoder_layer_(\d+)\.mlp\.(?:3|linear_2)\.(weight|bias)": (
        r"blocks.\1.mlp.fc2.\2"
    ),
    r"encoder\.ln\.(weight|bias)": r"norm.\1",
    r"heads\.head\.(weight|bias)": r"head.\1",
    r"heads\.pre_logits\.(weight|bias)": r"head.pre_logits.\1",
}
_ANCHORS = {  # a name that only this layout has
    "embeddings.patch_embeddings.projection.weight": _TRANSFORMERS,
    "encoder.layers.encoder_layer_0.self_attention.in_proj_weight": _TORCHVISION,
}


def with_timm_names(level: Level) -> Sequence[Level]:
    """The network in all tensors of a file by timm's names; none if its names are no such layout.

    Args:
        level: All tensors of the file.
    """
    for anchor, rules in _ANCHORS.items():
        prefixes = [n.removesuffix(anchor) for n in level.tensors if n.endswith(anchor)]
        if len(prefixes) != 1:
            continue
        prefix = prefixes[0]
        inside = {
            n.removeprefix(prefix): t for n, t in level.tensors.items() if n.startswith(prefix)
        }
        renamed = _renamed(inside, rules)
        if renamed is None:
            continue
        outside = [n for n in level.tensors if not n.startswith(prefix)]
        return [
            Level(
                level.prefix + prefix,
                renamed,
                tuple(level.prefix + n for n in outside if not is_harmless(n)),
                tuple(level.prefix + n for n in outside if is_head(n)),
            )
        ]
    return []


def _renamed(tensors: Tensors, rules: Mapping[str, str]) -> Tensors | None:
    """All tensors by timm's names; None if one has no place in them."""
    found: Tensors = {}
    for name, tensor in tensors.items():
        names = [
            re.sub(f"{rule}$", new, name) for rule, new in rules.items() if re.fullmatch(rule, name)
        ]
        if not names and not is_harmless(name):
            return None
        found[names[0] if names else name] = tensor
    return _joined(found)


def _joined(tensors: Tensors) -> Tensors | None:
    """Queries, keys and values as one tensor."""
    found = dict(tensors)
    for name in tensors:
        if ".attn.query." not in name:
            continue
        parts = [found.pop(name.replace("query", part), None) for part in ("query", "key", "value")]
        three = [part for part in parts if part is not None]
        if len(three) < len(parts):
            return None
        found[name.replace("query", "qkv")] = torch.cat(three)
    return None if any(re.search(r"\.attn\.(key|value)\.", name) for name in found) else found
