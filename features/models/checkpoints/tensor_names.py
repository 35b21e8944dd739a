"""Names of tensors in a weights file that do not change the features of its backbone."""

import re
from collections.abc import Iterable

_HEADS = re.compile(
    r"((\w+_)?heads?|head_dist|head2|fc|(\w+_)?classifier|last_linear|pre_logits|aux\w*|AuxLogits"
    r"|project(or|ors|ion)|predictor"
    r"|prototypes?"
    r"|decoder|decoder_\w+|mask_token|masked_embed|queue\w*|cent(er|re)"
    r"|logit_scale|logit_bias|(\w+_)?loss(es|_\w+)?|criterion|metrics?)(\.|$)"
)
_RECOMPUTED = re.compile(
    r"(^|\.)(num_batches_tracked|n_averaged|relative_position_index|relative_coords_table|attn_mask|bias_mask"
    r"|rope(_embed)?\.(periods|bands|pos_embed)|freqs_(cos|sin)|inv_freq|attention_bias_idxs"
    r"|total_ops|total_params)$"
)
_UNREAD = (  # layouts that timm reads under no architecture
    ("embeddings.patch_embeddings.", "Hugging Face transformers"),
    ("encoder.layer.0.", "Hugging Face transformers"),
    ("encoder.stages.0.layers.0.", "Hugging Face transformers"),
    ("encoder.layers.encoder_layer_0.", "torchvision's ViT"),
    ("features.0.0.", "torchvision"),
)
_LAYOUTS = (  # that timm reads under another architecture, or not at all
    ("visual.", "It holds an image-text model; timm's names of CLIP have `clip` in them."),
    ("lora_", "It holds adapters, which must be merged into the weights first."),
)
_POOLING_HEAD = re.compile(r"attn_pool\.")


def is_head(name: str) -> bool:
    """Whether a tensor belongs to a classifier, or to what serves pretraining alone."""
    return bool(_HEADS.match(name))


def is_pooling_head(name: str) -> bool:
    """Whether a tensor belongs to an attention pooling, which other poolings leave out."""
    return bool(_POOLING_HEAD.match(name))


def is_harmless(name: str) -> bool:
    """Whether a tensor that is left over does not change the features."""
    return is_head(name) or is_recomputed(name)


def is_recomputed(name: str) -> bool:
    """Whether a tensor is a constant that a network makes itself, or a counter."""
    return bool(_RECOMPUTED.search(name))


def unread_hint(names: Iterable[str]) -> str:
    """What to do with a file in a layout that no architecture helps; empty for other files."""
    every = tuple(names)
    wrote = next((code for part, code in _UNREAD if any(part in name for name in every)), "")
    if not wrote:
        return ""
    folder = (
        "Take its folder with config.json and preprocessor_config.json: --model hf:FOLDER. Or take "
        if "transformers" in wrote
        else "Take "
    )
    return (
        f"Its names are those of {wrote}. Of these, whole ViT, DeiT and DINOv2 files of "
        f"transformers and torchvision's ViT are read, and others under no architecture. {folder}"
        "the same weights by their name in timm (--model timm:NAME), or save them under timm's "
        "names."
    )


def layout_hint(names: Iterable[str]) -> str:
    """What the names in a file say of the code that wrote it; empty if nothing is known."""
    every = tuple(names)
    return next((text for part, text in _LAYOUTS if any(part in name for name in every)), "")
