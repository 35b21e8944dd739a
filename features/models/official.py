"""What official weights were trained on, as far as their name tells.

The facts are those of the alias of the same weights: a file or an entry of `torch.hub` must not
lose the contamination mark that the alias has.
"""

import re
from pathlib import Path

from lowlabel.datasets import IMAGENET
from lowlabel.features.models.aliases import ALIASES
from lowlabel.features.models.identity import file_alias, own_identity
from lowlabel.features.models.pretrained import holds_imagenet, is_published

_HUB_ENTRIES = re.compile(
    r"dino_(?!.*googlelandmark)(vit|resnet50|xcit)|dinov2_vit|dinov3_(vit|convnext)"
)
_HUB_REPOSITORIES = {  # whose entries load weights by default
    "facebookresearch/barlowtwins",
    "facebookresearch/dino",
    "facebookresearch/dinov2",
    "facebookresearch/dinov3",
    "facebookresearch/swav",
    "facebookresearch/vicreg",
}
_FILES = re.compile(
    r"dino_(?!.*googlelandmark)(deit|vit|resnet50|xcit)\w*pretrain"
    r"|dinov2_vit\w*pretrain"
    r"|dinov3_(vit|convnext)\w*lvd1689m"
    r"|deit_\w+patch16_\d+-[0-9a-f]{8}"
    r"|deit_3_\w+_\d+_(1k|21k)"
    r"|mae_(pretrain|finetuned|visualize)_vit"
    r"|vit-[bs]-300ep|r-50-\d+ep|moco_v[12]_\d+ep_pretrain"
    r"|swav_\d+ep(_\w+)?_pretrain|vit[sbl]\d+_\d+ep|IN(1K|22K)-vit\.[hg]\.\d+-"
    r"|resnet50-[0-9a-f]{8}"
)


def hub_pretraining(repository: str, entry: str) -> str | None:
    """Name of a set of images that the data of an official `torch.hub` model include, if known.

    Args:
        repository: OWNER/NAME[:REF], or a folder, where the entry's name decides.
        entry: The entry point.
    """
    official = repository.partition(":")[0] in _HUB_REPOSITORIES
    return IMAGENET if official or _HUB_ENTRIES.match(entry) else None


def file_pretraining(path: Path, architecture: str) -> str | None:
    """Name of a set of images that the data of an official weights file include, if known.

    Args:
        path: The file, by the name under which its authors, timm or an alias give it.
        architecture: The architecture that was named for it; a tag (`.dino`) says which weights
            the file has.
    """
    stem = path.stem.removesuffix(".pth")  # of .pth.tar
    if alias := file_alias(path):
        return ALIASES[alias].pretrained_on
    if own := own_identity(path):
        return own.pretrained_on
    if _FILES.match(stem):
        return IMAGENET
    tagged = (name for name in (architecture, stem) if "." in name and is_published(name))
    return IMAGENET if any(map(holds_imagenet, tagged)) else None
