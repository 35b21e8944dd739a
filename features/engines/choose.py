"""The choice of an engine; OpenVINO is imported only where it may run."""

import sys
from dataclasses import replace
from importlib.util import find_spec
from typing import Literal

from lowlabel.errors import InputError, UnknownNameError
from lowlabel.features.backbone import Backbone, Forward
from lowlabel.features.transforms import WholeImage

Engine = Literal["auto", "torch", "openvino"]
ENGINES: tuple[Engine, ...] = ("auto", "torch", "openvino")
_WORTHWHILE = 500  # images from which on the seconds of a conversion are saved again


def check_engine(engine: str) -> Engine:
    """Raises an `UnknownNameError` unless there is such an engine."""
    for known in ENGINES:
        if engine == known:
            return known
    raise UnknownNameError("engine", engine, ENGINES)


def with_engine(backbone: Backbone, engine: Engine, images: int) -> Backbone:
    """The backbone with the engine that is to embed a number of images.

    "auto" takes OpenVINO on a CPU where it is installed, can convert the network and gives the
    features of torch; else torch, with one line that says why. It is not tried for few images.

    Args:
        backbone: The backbone; one that has an engine keeps it.
        engine: "auto", "torch" or "openvino".
        images: Number of images to embed.

    Raises:
        InputError: If `engine` is "openvino" and it cannot be used.
    """
    if backbone.forward or engine == "torch":
        return backbone
    obstacle = _obstacle(backbone)
    if engine == "auto" and (obstacle or images < _WORTHWHILE or not _has_weights(backbone)):
        return backbone
    try:
        if obstacle:
            raise obstacle
        return replace(backbone, forward=_converted(backbone))
    except InputError as error:
        if engine == "openvino":
            raise
        print(f"{backbone.title} runs in torch: {error.message}", file=sys.stderr, flush=True)
        return backbone


def _has_weights(backbone: Backbone) -> bool:
    return any(True for _ in backbone.encoder.parameters())


def _obstacle(backbone: Backbone) -> InputError | None:
    """Why OpenVINO need not be tried."""
    if backbone.encoder.runtime:
        return InputError(
            f"{backbone.name} runs in {backbone.encoder.runtime}", "Leave --engine out."
        )
    if backbone.device.type != "cpu":
        return InputError(
            f"OpenVINO runs on a CPU here, not on {backbone.device}", "Use --engine torch."
        )
    transform, patch = backbone.transform, backbone.encoder.patch
    if isinstance(transform, WholeImage) and not transform.is_of_one_size(patch):
        return InputError(
            "OpenVINO is compiled for one size, and this framing has images of many",
            "Use --engine torch.",
        )
    if backbone.dtype == "float16":
        return InputError("OpenVINO computes in float32 or bfloat16 here", "Use --dtype bfloat16.")
    if find_spec("openvino") is None:
        return InputError("OpenVINO is not installed", "pip install 'lowlabel[cpu]'")
    return None


def _converted(backbone: Backbone) -> Forward:
    """The forward pass in OpenVINO, which a backbone is converted to once for all its datasets."""
    from lowlabel.features.engines.openvino import convert

    key = backbone.pooling, *backbone.transform.blank
    if key not in backbone.converted:
        forward = backbone.converted[key] = convert(backbone)
        print(f"{backbone.title} runs in {forward.name}", file=sys.stderr, flush=True)
    return backbone.converted[key]
