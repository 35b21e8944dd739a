"""Short names of pretrained models, with the preprocessing of their authors' evaluation.

The preprocessing is timm's unless it differs from the authors' own: DINO and DINOv2 are evaluated
on Resize(256) → CenterCrop(224), while timm gives a crop fraction of 0.9 and, for DINOv2, the
518 px of its last training phase.
"""

from dataclasses import dataclass

from lowlabel.datasets import IMAGENET


@dataclass(frozen=True)
class Alias:
    """A pretrained model of timm, or of its authors' file on a network of timm.

    Attributes:
        timm_name: Name in timm, with the tag; empty for weights that timm does not have.
        about: Training method and data.
        pooling: Pooling of the authors; None for timm's.
        resolution: Side in pixels; None for timm's.
        crop_fraction: Side of the crop divided by the side after resizing; None for timm's.
        pretrained_on: Name of a set of images that the pretraining data include, if known:
            ImageNet-1k for most (LVD-142M and LVD-1689M were built around it).
        positions: Rule for position embeddings at other sizes: "timm" or "dino".
        architecture: Network of timm that takes the authors' file, without a tag.
        url: Where the authors publish the file.
    """

    timm_name: str
    about: str
    pooling: str | None = None
    resolution: int | None = None
    crop_fraction: float | None = None
    pretrained_on: str | None = IMAGENET
    positions: str = "timm"
    architecture: str = ""
    url: str = ""

    @property
    def network(self) -> str:
        """The network of timm, without a tag."""
        return (self.timm_name or self.architecture).partition(".")[0]


def _dino(name: str) -> Alias:
    about = "DINO (Caron et al., ICCV 2021), ImageNet-1k without labels"
    return Alias(f"vit_{name}_224.dino", about, "cls", crop_fraction=0.875, positions="dino")


def _dino_file(
    stem: str,
    architecture: str,
    data: str = "ImageNet-1k",
    pretrained_on: str | None = IMAGENET,
    pooling: str | None = None,
) -> Alias:
    return Alias(
        "",
        f"DINO (Caron et al., ICCV 2021), {data} without labels",
        pooling,
        crop_fraction=0.875,
        pretrained_on=pretrained_on,
        positions="dino" if architecture.startswith("vit_") else "timm",
        architecture=architecture,
        url=f"https://dl.fbaipublicfiles.com/dino/{stem}_pretrain/{stem}_pretrain.pth",
    )


def _dinov2(name: str) -> Alias:
    about = "DINOv2 (Oquab et al., arXiv:2304.07193), LVD-142M without labels"
    rule = "timm" if "reg4" in name else "dino"  # with registers, the authors resample as timm
    return Alias(f"vit_{name}_dinov2.lvd142m", about, "cls", 224, 0.875, positions=rule)


def _dinov3(name: str) -> Alias:
    about = "DINOv3 (Siméoni et al., arXiv:2508.10104), LVD-1689M without labels"
    return Alias(f"vit_{name}_patch16_dinov3.lvd1689m", about, "cls")


ALIASES: dict[str, Alias] = {
    "dino_vits16": _dino("small_patch16"),
    "dino_vits8": _dino("small_patch8"),
    "dino_vitb16": _dino("base_patch16"),
    "dino_vitb8": _dino("base_patch8"),
    "dino_vits16_googlelandmark": _dino_file(
        "dino_vitsmall16_googlelandmark",
        "vit_small_patch16_224",
        "Google Landmarks v2",
        None,
        "cls",
    ),
    "dino_resnet50": _dino_file("dino_resnet50", "resnet50"),
    "dino_xcit_small_12_p16": _dino_file("dino_xcit_small_12_p16", "xcit_small_12_p16_224"),
    "dino_xcit_small_12_p8": _dino_file("dino_xcit_small_12_p8", "xcit_small_12_p8_224"),
    "dino_xcit_medium_24_p16": _dino_file("dino_xcit_medium_24_p16", "xcit_medium_24_p16_224"),
    "dino_xcit_medium_24_p8": _dino_file("dino_xcit_medium_24_p8", "xcit_medium_24_p8_224"),
    "dinov2_vits14": _dinov2("small_patch14"),
    "dinov2_vitb14": _dinov2("base_patch14"),
    "dinov2_vitl14": _dinov2("large_patch14"),
    "dinov2_vitg14": _dinov2("giant_patch14"),
    "dinov2_vits14_reg": _dinov2("small_patch14_reg4"),
    "dinov2_vitb14_reg": _dinov2("base_patch14_reg4"),
    "dinov2_vitl14_reg": _dinov2("large_patch14_reg4"),
    "dinov2_vitg14_reg": _dinov2("giant_patch14_reg4"),
    "dinov3_vits16": _dinov3("small"),
    "dinov3_vits16plus": _dinov3("small_plus"),
    "dinov3_vitb16": _dinov3("base"),
    "dinov3_vitl16": _dinov3("large"),
    "dinov3_vith16plus": _dinov3("huge_plus"),
    "dinov3_vit7b16": _dinov3("7b"),
    "deit_small": Alias("deit_small_patch16_224.fb_in1k", "DeiT-S, supervised on ImageNet-1k"),
    "resnet50": Alias("resnet50.tv_in1k", "ResNet-50, supervised on ImageNet-1k"),
}
