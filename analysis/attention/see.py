"""What a model sees in image files."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lowlabel.analysis.attention.class_attention import (
    ClassAttention,
    class_attention,
    patch_tokens,
)
from lowlabel.analysis.attention.patch_colours import patch_colours
from lowlabel.datasets import Box
from lowlabel.datasets.io.pixels import must_decode
from lowlabel.errors import InputError
from lowlabel.features import Backbone
from lowlabel.features.views.random_view import RandomView


@dataclass(frozen=True)
class Seen:
    """What one model sees in one image.

    Attributes:
        model: Name of the model.
        region: The region of the image that the model's input shows; see `transform.covered`.
        attention: Its class attention; None if it was not asked for.
        colours: Colours of its patches in 0 to 1, [rows, columns, 3]; None if not asked for.
        extent: Part of the input's height and width that the patches cover.
    """

    model: str
    region: Box
    attention: ClassAttention | None = None
    colours: NDArray[np.float64] | None = None
    extent: tuple[float, float] = (1.0, 1.0)

    @property
    def tiles(self) -> int:
        """Number of pictures, with the image itself."""
        heads = 0 if self.attention is None else 2 + len(self.attention.patches)
        return 1 + (self.colours is not None) + heads


def see(
    backbone: Backbone,
    images: Mapping[Path, tuple[int, int]],
    *,
    block: str | None = None,
    attention: bool = True,
    colours: bool = True,
    foreground: bool = False,
) -> list[Seen]:
    """Computes the class attention and the patch colours of images, one image at a time.

    Args:
        backbone: The model.
        images: Width and height of each image, turned as the model's transform turns it, by path.
        block: See `class_attention`.
        attention: Whether to read the class attention.
        colours: Whether to colour the patches, by one analysis of all images.
        foreground: See `patch_colours`.

    Raises:
        DataError: If a file is no image.
        InputError: If the model has no attention or no patch tokens that can be read.
    """
    transform = backbone.transform
    if isinstance(transform, RandomView):
        raise InputError("a random view has no place in the image", "Load the model without views.")
    attentions: list[ClassAttention | None] = []
    tokens = []
    for path in images:
        with must_decode(path):
            pixels = transform.read(path)
        attentions.append(class_attention(backbone, pixels, block) if attention else None)
        if colours:
            tokens.append(patch_tokens(backbone, pixels))
    painted = patch_colours([t.values for t in tokens], foreground=foreground) if colours else []
    return [
        Seen(
            backbone.name,
            transform.covered(*size),
            attentions[number],
            painted[number] if colours else None,
            tokens[number].extent if colours else (1.0, 1.0),
        )
        for number, size in enumerate(images.values())
    ]
