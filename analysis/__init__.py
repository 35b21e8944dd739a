"""Pictures and tables that show what a model or a training recipe does to images."""

from lowlabel.analysis.patch_matching import PatchedView, draw_matches

__all__ = ["PatchedView", "draw_matches"]
