"""timm's own conversion of the names and sizes in a weights file to those of its network."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from typing import Any

import timm
import torch
from timm.models import _builder
from torch import nn

from lowlabel.features.models.checkpoints.weights_file import Tensors
from lowlabel.specs import Option

_Filter = Callable[..., Mapping[str, torch.Tensor]]
Conversion = Callable[[Tensors, nn.Module], Tensors | None]


def timm_conversion(name: str, options: Mapping[str, Option]) -> Conversion:
    """The conversion that timm makes for its published weights of an architecture.

    It renames tensors in the layout of the model's authors, and resamples position embeddings,
    relative positions and patch embeddings of other sizes.

    Args:
        name: The architecture.
        options: Its options.

    Returns:
        A function of the tensors in a file and the network that gives the tensors by the network's
        names; None if timm has no conversion, or not for this layout.
    """
    found = _loader_filter(name, options)

    def convert(tensors: Tensors, module: nn.Module) -> Tensors | None:
        if found is None:
            return None
        try:
            with redirect_stdout(None):  # timm prints what it leaves out
                try:
                    return dict(found(dict(tensors), module))
                except TypeError:  # some take the tensors alone
                    return dict(found(dict(tensors)))
        except Exception:  # a conversion may raise anything on names of another layout
            return None

    return convert


def grey_to_colour(module: nn.Module, tensors: Tensors) -> Tensors:
    """Repeats the one channel of a first convolution for colour images, as timm does.

    The repeated weights are divided by the number of channels, so that a grey image gives what the
    network with one channel gives.
    """
    config = getattr(module, "pretrained_cfg", None) or {}
    first = config.get("first_conv") or ()
    repeated: Tensors = {}
    for layer in (first,) if isinstance(first, str) else first:
        weight, wanted = tensors.get(f"{layer}.weight"), module.state_dict().get(f"{layer}.weight")
        if weight is None or wanted is None or weight.ndim != 4 or weight.shape[1] != 1:
            continue
        channels = int(wanted.shape[1])
        if channels > 1 and weight.shape[2:] == wanted.shape[2:]:
            colour = weight.float().repeat(1, channels, 1, 1) * (1 / channels)
            repeated[f"{layer}.weight"] = colour.to(weight.dtype)
    return tensors | repeated


def _loader_filter(name: str, options: Mapping[str, Option]) -> _Filter | None:
    """The conversion that timm hands to its loader and keeps nowhere else.

    The network that timm makes for it is without numbers, on torch's meta device.
    """
    if not timm.model_entrypoint(name.partition(".")[0]).__module__.startswith("timm."):
        return None  # a user's own architecture may load anything when asked for weights
    with torch.device("meta"), _taken() as found:
        overlay = {"state_dict": {"": None}}
        arguments = {"num_classes": 0, **options, "pretrained_cfg_overlay": overlay}
        timm.create_model(name, pretrained=True, **arguments)
    return found[0] if found else None


@contextmanager
def _taken() -> Iterator[list[_Filter]]:
    """Stands in for timm's loader, and keeps the conversion that it is called with."""
    found: list[_Filter] = []

    def take(*_: Any, filter_fn: _Filter | None = None, **__: Any) -> None:
        if filter_fn is not None:
            found.append(filter_fn)

    loader = _builder.load_pretrained
    _builder.load_pretrained = take
    try:
        yield found
    finally:
        _builder.load_pretrained = loader
