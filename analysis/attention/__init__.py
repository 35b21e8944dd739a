"""What a vision transformer attends to, and its patch tokens as colours, drawn on the image."""

from lowlabel.analysis.attention.class_attention import (
    ClassAttention,
    PatchTokens,
    class_attention,
    patch_tokens,
)
from lowlabel.analysis.attention.mass import check_threshold, mass_mask
from lowlabel.analysis.attention.patch_colours import patch_colours
from lowlabel.analysis.attention.placement import Placement
from lowlabel.analysis.attention.see import Seen, see
from lowlabel.analysis.attention.sheet import Pictured, Sheet, draw_sheet

__all__ = [
    "ClassAttention",
    "PatchTokens",
    "Pictured",
    "Placement",
    "Seen",
    "Sheet",
    "check_threshold",
    "class_attention",
    "draw_sheet",
    "mass_mask",
    "patch_colours",
    "patch_tokens",
    "see",
]
