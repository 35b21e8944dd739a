"""Vision transformers by the names that one method alone gives its tensors.

Each function returns the network of one method, or None if the tensors are not in its layout.
"""

import math
import re
from dataclasses import dataclass, field

import torch

from lowlabel.features.models.aliases import ALIASES
from lowlabel.features.models.checkpoints.tensor_names import is_harmless
from lowlabel.features.models.checkpoints.weights_file import Tensors
from lowlabel.specs import Option

HEAD_WIDTH = 64
_DEPTHS = {"large": 24, "huge": 32, "huge_plus": 32, "giant": 40, "7b": 40}  # others: 12
_SIZES = {192: "tiny", 384: "small", 768: "base", 1024: "large"}
_DEIT3_SIZES = {384: "small", 512: "medium", 768: "base", 1024: "large", 1280: "huge"}
_DINOV2_SIZES = {384: "small", 768: "base", 1024: "large"}
_DINOV3_SIZES = {384: "small", 768: "base", 1024: "large"}
_DINOV3_GATED = {384: "small_plus", 1280: "huge_plus", 4096: "7b"}
_DINOV2_SIDE = 518
_PLAIN = re.compile(
    r"(cls_token|pos_embed|patch_embed\.proj\.(weight|bias)|(fc_)?norm\.(weight|bias)"
    r"|blocks\.\d+\.(norm[12]|attn\.(qkv|proj)|mlp\.fc[12])\.(weight|bias))$"
)


@dataclass(frozen=True)
class Recognised:
    """The network that a weights file holds.

    Attributes:
        architecture: Name in timm, with the tag whose preprocessing the file takes.
        options: Options of the architecture.
        family: Method whose layout the file has: "dino", "ibot", "dinov2", "dinov2_reg", "dinov3",
            "deit_distilled", "deit3", "mae", "mocov3" or "ijepa"; empty for others.
        heads_assumed: Number of heads that nothing in the file tells; 0 if something does.
        resolution: Side of the images in the authors' evaluation; None for the network's own.
        pooling: Pooling of the authors; None for timm's.
        timm_names: Whether the tensors have timm's names where the authors' are others.
    """

    architecture: str
    options: dict[str, Option] = field(default_factory=dict)
    family: str = ""
    heads_assumed: int = 0
    resolution: int | None = None
    pooling: str | None = None
    timm_names: bool = False

    @property
    def authors_family(self) -> str:
        """`family` if the tensors have the authors' names; empty for timm's."""
        return "" if self.timm_names else self.family

    @property
    def alias(self) -> str | None:
        """The alias of the official model of the same layout and sizes, if there is one.

        A layout does not prove that the weights are the official ones.
        """
        sizes = {"patch_size", "img_size", "depth"} if self.family == "dino" else set()
        form = r"vit_(\w+?)_patch(\d+)_(224|(reg4_)?dinov2|dinov3(_qkvb)?)"
        name = re.fullmatch(form, self.architecture.partition(".")[0])
        if not (name and self.family.startswith("dino")) or self.options.keys() - sizes:
            return None
        letter = "7b" if name[1] == "7b" else name[1][0]
        patch = self.options.get("patch_size", name[2])
        suffix = "plus" * name[1].endswith("plus") + "_reg" * self.family.endswith("_reg")
        alias = f"{self.family.removesuffix('_reg')}_vit{letter}{patch}{suffix}"
        return alias if alias in ALIASES else None


@dataclass(frozen=True)
class VitTensors:
    """The tensors of a vision transformer whose patch embedding is `patch_embed.proj`."""

    tensors: Tensors

    @property
    def patch(self) -> torch.Tensor:
        """Weight of the patch embedding [D, C, side, side]."""
        return self.tensors["patch_embed.proj.weight"]

    @property
    def width(self) -> int:
        """Width of a token."""
        return int(self.patch.shape[0])

    @property
    def side(self) -> int:
        """Side of a patch in pixels."""
        return int(self.patch.shape[-1])

    @property
    def depth(self) -> int:
        """Number of blocks."""
        return len({n.split(".")[1] for n in self.tensors if n.startswith("blocks.")})

    @property
    def foreign(self) -> list[str]:
        """Names that a plain ViT does not have."""
        return [n for n in self.tensors if not _PLAIN.match(n) and not is_harmless(n)]

    def has(self, *names: str) -> bool:
        """Whether all names are there."""
        return all(name in self.tensors for name in names)

    def image(self, prefix: int) -> int | None:
        """Side of the images in pixels, if the positions after `prefix` tokens are a square."""
        position = self.tensors.get("pos_embed")
        count = int(position.shape[1]) - prefix if position is not None else 0
        side = math.isqrt(max(count, 0))
        return side * self.side if side and side * side == count else None

    def options(
        self, size: str | None, patch: int, image: int | None = None, native: int | None = None
    ) -> dict[str, Option] | None:
        """Options by which the network differs from timm's of one size, patch and image.

        None if it has no size of timm and its width is no multiple of 64.
        """
        options: dict[str, Option] = {}
        if self.side != patch:
            options["patch_size"] = self.side
        if image and image != native:
            options["img_size"] = image
        if self.depth != _DEPTHS.get(size or "", 12):
            options["depth"] = self.depth
        if size is None:
            if self.width % HEAD_WIDTH:
                return None
            options |= {"embed_dim": self.width, "num_heads": self.width // HEAD_WIDTH}
        return options


def dinov3(vit: VitTensors) -> Recognised | None:
    """DINOv3 by its authors' names (`storage_tokens`) or timm's; its sizes have heads of 64."""
    official = vit.has("storage_tokens", "blocks.0.ls1.gamma")
    if not official and not vit.has("reg_token", "blocks.0.gamma_1"):
        return None
    if vit.has("pos_embed") or vit.has("blocks.0.attn.q_proj.weight"):
        return None
    gated = vit.has("blocks.0.mlp.w3.weight") or vit.has("blocks.0.mlp.fc1_g.weight")
    size = (_DINOV3_GATED if gated else _DINOV3_SIZES).get(vit.width)
    options = vit.options(size, 16)
    if options is None:
        return None
    biased = vit.has("blocks.0.attn.qkv.bias") or vit.has("blocks.0.attn.q_bias")
    name = f"vit_{size or ('small_plus' if gated else 'small')}_patch16_dinov3"
    tag = "" if options else ".lvd1689m"
    return Recognised(
        f"{name}{'_qkvb' * biased}{tag}",
        options,
        "dinov3",
        heads_assumed=vit.width // HEAD_WIDTH if size is None else 0,
        pooling="cls",
    )


def dinov2(vit: VitTensors) -> Recognised | None:
    """DINOv2 by its authors' names (`mask_token`, `register_tokens`) or timm's, with patches of 14.

    Its sizes have heads of 64, which is assumed of other widths. At the side of its last training
    phase, 518 pixels, it is evaluated on images of 224 pixels. By timm's names, the file takes
    timm's preprocessing and resampling.
    """
    if not vit.has("blocks.0.ls1.gamma", "cls_token", "pos_embed"):
        return None
    registers = next((n for n in ("register_tokens", "reg_token") if vit.has(n)), None)
    official = vit.has("mask_token") or registers == "register_tokens"
    if not official and vit.side != 14:
        return None
    image = vit.image(0 if registers == "reg_token" else 1)
    gated = vit.has("blocks.0.mlp.w12.weight") or (
        vit.tensors["blocks.0.mlp.fc1.weight"].shape[0]
        != vit.tensors["blocks.0.mlp.fc2.weight"].shape[1]
    )
    size = {1536: "giant"}.get(vit.width) if gated else _DINOV2_SIZES.get(vit.width)
    options = vit.options(size, 14, image, _DINOV2_SIDE)
    if image is None or options is None:
        return None
    if registers and (count := int(vit.tensors[registers].shape[1])) != 4:
        options["reg_tokens"] = count
    name = size or ("giant" if gated else "small")
    if size is None and gated:
        options["depth"] = vit.depth
    tag = "" if official or options else ".lvd142m"
    return Recognised(
        f"vit_{name}_patch14_{'reg4_' if registers else ''}dinov2{tag}",
        options,
        "dinov2_reg" if registers else "dinov2",
        heads_assumed=vit.width // HEAD_WIDTH if size is None else 0,
        resolution=224 if image == _DINOV2_SIDE else None,
        timm_names=not official,
    )


def deit_distilled(vit: VitTensors) -> Recognised | None:
    """Distilled DeiT, by its `dist_token`; the heads are 64 wide."""
    size, image = _SIZES.get(vit.width), vit.image(2)
    if not vit.has("dist_token", "cls_token") or size in (None, "large") or image is None:
        return None
    options = vit.options(size, 16, image, 224)
    assert options is not None  # it has a size
    return Recognised(f"deit_{size}_distilled_patch16_224", options, "deit_distilled")


def deit3(vit: VitTensors) -> Recognised | None:
    """DeiT-III: LayerScale, and positions for patches alone; its sizes have heads of their own."""
    scaled = vit.has("blocks.0.gamma_1") or vit.has("blocks.0.ls1.gamma")
    size, image = _DEIT3_SIZES.get(vit.width), vit.image(0)
    if not scaled or not vit.has("cls_token") or size is None or image is None:
        return None
    patch = 14 if size == "huge" else 16
    options = vit.options(size, patch, image, 224)
    assert options is not None  # it has a size
    return Recognised(f"deit3_{size}_patch{patch}_224", options, "deit3")


def plain(vit: VitTensors) -> Recognised | None:
    """A ViT-Ti, -S, -B or -L with nothing else, as DINO's, MAE's and many others."""
    size, image = _SIZES.get(vit.width), vit.image(1)
    known = vit.has("cls_token", "blocks.0.attn.qkv.bias") and not vit.foreign
    if not known or size is None or image is None:
        return None
    options: dict[str, Option] = {
        "patch_size": vit.side,
        "img_size": image,
        "depth": vit.depth,
    }
    if vit.has("fc_norm.weight") and not vit.has("norm.weight"):
        options["global_pool"] = "avg"
    heads = vit.width // HEAD_WIDTH
    return Recognised(f"vit_{size}_patch16_224", options, heads_assumed=heads)


def not_plain(vit: VitTensors) -> str:
    """Why a ViT without foreign tensors is none that `plain` knows."""
    for name in ("cls_token", "blocks.0.attn.qkv.bias", "pos_embed"):
        if not vit.has(name):
            return f"a plain ViT has {name}, and it has not"
    if vit.image(1) is None:
        shape = tuple(vit.tensors["pos_embed"].shape)
        return f"pos_embed {shape} holds no square of patches and a class token"
    return f"its tokens of width {vit.width} tell no number of heads"
