"""Untrained classifiers of timm and torchvision."""

from contextlib import suppress
from difflib import get_close_matches

import timm
import torch
from torch import nn
from torchvision import models

from lowlabel.errors import InputError, UnknownNameError
from lowlabel.features.models.architectures import create
from lowlabel.training.from_labels.recipe import LabelRecipe

_SHORT_NAMES = {
    f"{family}_{size}": f"{family}_{size}_patch16_224"
    for family in ("deit", "vit")
    for size in ("tiny", "small", "base")
}
_CHANNELS = 3


def resolve_network(name: str) -> str:
    """The full name of a network.

    Raises:
        UnknownNameError: If neither timm nor torchvision has it.
    """
    full = _SHORT_NAMES.get(name, name)
    if timm.is_model(full) or full in models.list_models(module=models):
        return full
    known = [*_SHORT_NAMES, *timm.list_models(), *models.list_models(module=models)]
    close = dict.fromkeys(get_close_matches(name, dict.fromkeys(known), n=3))
    raise UnknownNameError("architecture", name, close or ("resnet50", "deit_base", "alexnet"))


def build_network(recipe: LabelRecipe, classes: int) -> nn.Module:
    """Makes a classifier with initial weights from torch's generator.

    Raises:
        InputError: If the network has no such option, or cannot take images of that side.
    """
    module = _made(recipe, classes)
    images = torch.zeros(2, _CHANNELS, recipe.resolution, recipe.resolution)
    reason = ""
    with torch.no_grad():
        try:
            shape = tuple(module.eval()(images).shape)
        except (RuntimeError, AssertionError, ValueError, IndexError) as error:
            shape, reason = (), (str(error) or type(error).__name__).splitlines()[0]
    if shape != (2, classes):
        raise InputError(
            f"{recipe.architecture} cannot classify images of {recipe.resolution} pixels: "
            f"{reason or f'its output is {shape}'}",
            "Choose another resolution=…, or other options of the network.",
        )
    return module.train()


def _made(recipe: LabelRecipe, classes: int) -> nn.Module:
    name, options = recipe.architecture, recipe.options
    if timm.is_model(name):
        return create(name, options, recipe.resolution, pretrained=False, num_classes=classes)
    with suppress(TypeError):
        made: nn.Module = models.get_model(name, weights=None, num_classes=classes, **options)
        return made
    raise InputError(
        f"{name} does not accept the options {', '.join(options)}",
        "Write options with the names of the network's torchvision class.",
    )
