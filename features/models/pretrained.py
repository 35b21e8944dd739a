"""Published weights through timm: from the suite's weights folder, the cache, or the origin."""

import re
import urllib.error
import urllib.request
from collections.abc import Mapping

import timm
from huggingface_hub import constants, try_to_load_from_cache
from torch import nn

from lowlabel.errors import DataError, InputError
from lowlabel.features.models.architectures import check_architecture, create
from lowlabel.features.models.checkpoint import read_checkpoint
from lowlabel.paths import weights_dir
from lowlabel.specs import Option

_SUFFIXES = (".safetensors", ".pth", ".bin")
_IMAGENET_TAGS = re.compile(r"in(1k|12k|21k|22k)|^dino$|^lvd")
_SECONDS_TO_ANSWER = 10


def create_pretrained(
    name: str,
    options: Mapping[str, Option],
    resolution: int | None = None,
    any_size: bool = False,
) -> nn.Module:
    """Creates a tagged timm model with its published weights.

    A file `NAME.safetensors` (or `.pth`, `.bin`) in the weights folder comes first, then timm's
    own cache, then a download.

    Args:
        name: The name in timm with its tag, as `vit_small_patch16_224.dino`.
        options: Passed to timm's `create_model`.
        resolution: Side of the images in pixels.
        any_size: Make a model that takes images of any size.

    Raises:
        InputError: If timm publishes no weights under this name.
        DataError: If the weights cannot be fetched, with the file to put where.
    """
    check_published(name)
    config = timm.get_pretrained_cfg(name)
    for suffix in _SUFFIXES:
        local = weights_dir() / f"{name}{suffix}"
        if local.is_file():
            overlay = {"state_dict": read_checkpoint(local).tensors}
            return create(
                name,
                options,
                resolution,
                any_size,
                pretrained=True,
                pretrained_cfg_overlay=overlay,
            )
    if config is not None and not _is_cached(config.hf_hub_id):
        _require_reachable(name, config.hf_hub_id)
    try:
        return create(name, options, resolution, any_size, pretrained=True)
    except OSError as error:
        raise _not_fetched(name, config.hf_hub_id if config else None, str(error)) from error


def check_published(name: str) -> None:
    """Raises an `InputError` unless timm has the architecture and publishes weights of the name."""
    check_architecture(name)
    architecture = name.partition(".")[0]
    if not timm.is_model_pretrained(name):
        published = timm.list_pretrained(f"{architecture}.*")
        raise InputError(
            f"timm publishes no weights {name!r}",
            f"Published: {', '.join(published) or 'none'}. Untrained: random:{architecture}.",
        )


def holds_imagenet(name: str) -> bool:
    """Whether the data behind published weights hold ImageNet-1k, as far as their tag says.

    timm's tags name the data, as "fb_in1k" or "augreg_in21k_ft_in1k", or the method, as "dino".
    """
    config = timm.get_pretrained_cfg(name)
    return bool(config and _IMAGENET_TAGS.search(config.tag or ""))


def _is_cached(hub_id: str | None) -> bool:
    files = ("model.safetensors", "pytorch_model.bin")
    return hub_id is not None and any(
        isinstance(try_to_load_from_cache(hub_id, name), str) for name in files
    )


def _require_reachable(name: str, hub_id: str | None) -> None:
    """Asks the origin once, so that no user waits through the client's minute of retries."""
    try:
        urllib.request.urlopen(constants.ENDPOINT, timeout=_SECONDS_TO_ANSWER).close()
    except urllib.error.HTTPError:
        return  # it answered
    except OSError as error:
        raise _not_fetched(name, hub_id, str(getattr(error, "reason", error))) from error


def _not_fetched(name: str, hub_id: str | None, reason: str) -> DataError:
    target = weights_dir() / f"{name}.safetensors"
    origin = f"{constants.ENDPOINT}/{hub_id}/resolve/main/model.safetensors" if hub_id else "timm"
    return DataError(
        f"the weights of {name} could not be fetched: {reason}",
        f"Fetch {origin}\nwhere there is a network, and put it at {target}",
    )
