"""Vision transformers whose heads are 80 or 88 wide: the huge ones of MAE and I-JEPA."""

from lowlabel.features.models.checkpoints.vit_layouts import Recognised, VitTensors
from lowlabel.specs import Option

_HUGE, _GIANT = 1280, 1408
_IJEPA = {  # width and side of a patch: network, side of its images
    (_HUGE, 14): ("vit_huge_patch14_gap_224", "huge", 224),
    (_HUGE, 16): ("vit_huge_patch16_gap_448", "huge", 448),
    (_GIANT, 16): ("vit_giant_patch16_gap_224", "giant", 224),
}


def mae_huge(vit: VitTensors) -> Recognised | None:
    """The ViT-H of MAE, by its decoder or the name of its file, which its caller looks at."""
    image = vit.image(1)
    if vit.width != _HUGE or vit.foreign or image is None or not vit.has("cls_token"):
        return None
    options = vit.options("huge", 14, image, 224)
    assert options is not None  # it has a size
    if vit.has("fc_norm.weight") and not vit.has("norm.weight"):
        options["global_pool"] = "avg"
    return Recognised("vit_huge_patch14_224", options, "mae")


def ijepa(vit: VitTensors) -> Recognised | None:
    """The networks of I-JEPA (Assran et al., CVPR 2023, arXiv:2301.08243): no class token.

    Their caller looks for the target encoder; the mean of the patches is the feature.
    """
    known, image = _IJEPA.get((vit.width, vit.side)), vit.image(0)
    if known is None or vit.foreign or image is None or vit.has("cls_token"):
        return None
    name, size, side = known
    options: dict[str, Option] | None = vit.options(size, vit.side, image, side)
    assert options is not None  # it has a size
    return Recognised(name, options, "ijepa")
