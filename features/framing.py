"""How an image comes into the model's input: cropped, squeezed into a square, or as it is."""

from collections.abc import Sequence
from typing import Literal, cast, get_args

from lowlabel.errors import InputError, UnknownNameError
from lowlabel.features.transforms import ImageTransform, WholeImage

Framing = Literal["crop", "square", "longest"]


def known_framing(name: str | None) -> Framing | None:
    """The framing of a name; an `UnknownNameError` for one that does not exist."""
    if name is not None and name not in get_args(Framing):
        raise UnknownNameError("framing", name, get_args(Framing))
    return cast(Framing | None, name)


def check_framing(framing: str, scales: Sequence[float]) -> None:
    """An `UnknownNameError` or `InputError` for what does not exist or does not go together."""
    known_framing(framing)
    if not scales or not all(0 < scale <= 4 for scale in scales):
        raise InputError(f"scales={tuple(scales)} must be one or more factors up to 4")
    if framing == "crop" and tuple(scales) != (1.0,):
        raise InputError(
            f"scales={tuple(scales)} do not go with centre crops", "Add --framing longest."
        )


def needs_any_size(framing: Framing, scales: Sequence[float]) -> bool:
    """Whether the model will see images of more than one size."""
    return framing == "longest" or tuple(scales) != (1.0,)


def frame(
    own: ImageTransform, framing: Framing, scales: Sequence[float], resolution: int | None
) -> ImageTransform | WholeImage:
    """A model's own preprocessing with another framing.

    Whole images in their aspect ratio are resized as Radenović et al. do it, by Lanczos; squares
    as the model's own transform is.

    Args:
        own: The model's own.
        framing: The framing wanted.
        scales: See `WholeImage`.
        resolution: Side in pixels; None for the model's own.
    """
    if framing == "crop":
        return own
    keep_aspect = framing == "longest"
    return WholeImage(
        resolution or own.crop,
        keep_aspect,
        tuple(map(float, scales)),
        "lanczos" if keep_aspect else own.interpolation,
        own.mean,
        own.std,
    )
