"""Published weights of timm models: from the weights folder, timm's cache, or a download."""

import re
from collections.abc import Mapping

import timm
from huggingface_hub import constants, try_to_load_from_cache
from torch import nn

from lowlabel.errors import DataError
from lowlabel.features.models.architectures import check_architecture, create, unpublished
from lowlabel.features.models.checkpoints.checkpoint import read_checkpoint
from lowlabel.features.models.checkpoints.loading import load_whole
from lowlabel.features.models.libraries.hub_access import obstacle
from lowlabel.paths import weights_dir
from lowlabel.specs import Option

_SUFFIXES = (".safetensors", ".pth", ".bin")
_IMAGENET_TAGS = re.compile(
    r"in(1k|12k|w?21k|22k)|(^|_)(dino|(fc)?mae)$|lvd|^mim_m38m$|^bamboo$|^(indomain_)?pt$"
)


def create_pretrained(
    name: str,
    options: Mapping[str, Option],
    resolution: int | None = None,
    any_size: bool = False,
) -> nn.Module:
    """Creates a tagged timm model with its published weights.

    A file `NAME.safetensors` (or `.pth`, `.bin`) in the weights folder comes first, then timm's
    cache, then a download.

    Args:
        name: Name in timm with its tag, such as `vit_small_patch16_224.dino`.
        options: Options of the model, passed to `timm.create_model`.
        resolution: Side of the images in pixels.
        any_size: Whether the model must take images of any size.

    Raises:
        InputError: If timm publishes no weights under this name.
        DataError: If the weights cannot be fetched, or a file in the weights folder does not fit.
    """
    check_published(name)
    config = timm.get_pretrained_cfg(name)
    for suffix in _SUFFIXES:
        local = weights_dir() / f"{name}{suffix}"
        if local.is_file():
            module = create(name, options, resolution, any_size, pretrained=False)
            load_whole(module, read_checkpoint(local), name, options)
            return module
    if config is not None and not _is_cached(config.hf_hub_id) and (why := obstacle()):
        raise _not_fetched(name, config.hf_hub_id, why)
    try:
        return create(name, options, resolution, any_size, pretrained=True)
    except OSError as error:
        raise _not_fetched(name, config.hf_hub_id if config else None, str(error)) from error


def check_published(name: str) -> None:
    """Raises an `InputError` unless timm has the architecture and publishes weights of the name."""
    check_architecture(name)
    if not timm.is_model_pretrained(name):
        raise unpublished(name)


def is_published(name: str) -> bool:
    """Whether timm publishes weights of the name, which has a tag."""
    return bool(timm.is_model(name.partition(".")[0]) and timm.is_model_pretrained(name))


def holds_imagenet(name: str) -> bool:
    """Whether published weights were trained on images of ImageNet-1k, according to their tag.

    timm's tags name the data ("fb_in1k", "augreg_in21k_ft_in1k", "lvd142m"; ImageNet-21k and sets
    built around it hold ImageNet-1k) or the method ("dino", "mae"; "pt" of BEiT-3).
    """
    config = timm.get_pretrained_cfg(name)
    return bool(config and _IMAGENET_TAGS.search(config.tag or ""))


def _is_cached(hub_id: str | None) -> bool:
    files = ("model.safetensors", "pytorch_model.bin")
    return hub_id is not None and any(
        isinstance(try_to_load_from_cache(hub_id, name), str) for name in files
    )


def _not_fetched(name: str, hub_id: str | None, reason: str) -> DataError:
    path = weights_dir() / f"{name}.safetensors"
    url = f"{constants.ENDPOINT}/{hub_id}/resolve/main/model.safetensors" if hub_id else "them"
    return DataError(
        f"cannot fetch the weights of {name}, which are not in {path.parent} or timm's cache: "
        f"{reason}",
        f"Download {url}\non a machine with a network, and save the file as {path}",
    )
