"""`onnx:FILE.onnx`: a network in the ONNX format, run by onnxruntime."""

from dataclasses import replace

from lowlabel.errors import InputError, UnknownNameError
from lowlabel.features.models.architectures import protocol_transform
from lowlabel.features.models.libraries.library import Library, check_known, require
from lowlabel.features.models.libraries.onnx_encoder import OnnxEncoder
from lowlabel.features.models.libraries.onnx_file import OnnxFile, read_onnx
from lowlabel.features.models.libraries.preprocessing import COLOURS, take_colours
from lowlabel.features.models.source import Source, canonical_spec, take_pretraining
from lowlabel.features.transforms import Size
from lowlabel.paths import expanded
from lowlabel.specs import Option, parse_spec

_OPTIONS = ("before", "output", "pretrained_on", *COLOURS)


def check(rest: str) -> None:
    """Checks what can be known of `onnx:REST` before it is loaded."""
    require("onnxruntime", "onnx")
    name, options = parse_spec(rest)
    check_known(f"onnx:{name}", options, _OPTIONS)
    take_pretraining(options)
    take_colours(options)
    file = read_onnx(expanded(name))
    _output(file, options)
    _before(options)


def open_model(rest: str, resolution: int | None, any_size: bool) -> Source:
    """Loads `onnx:REST`; see `Library.open`."""
    require("onnxruntime", "onnx")
    name, options = parse_spec(rest)
    check_known(f"onnx:{name}", options, _OPTIONS)
    file = read_onnx(expanded(name))
    seen, colours = take_pretraining(options), take_colours(options)
    output, before = _output(file, options), _before(options)
    plain = protocol_transform(_side(file, resolution))
    mean, std = colours.get("mean", plain.mean), colours.get("std", plain.std)
    shown: dict[str, Option] = {} if before is None else {"before": before}
    return Source(
        file.path.stem,
        canonical_spec("onnx", output, shown, None),
        OnnxEncoder(file, output, before),
        replace(plain, mean=mean, std=std),
        pretrained_on=seen,
    )


def _output(file: OnnxFile, options: dict[str, Option]) -> str:
    """The output that is named, or the only one.

    Raises:
        UnknownNameError: If the model has no such output.
        InputError: If it has several, and none is named.
    """
    name = options.get("output")
    if name is None and len(file.outputs) == 1:
        return next(iter(file.outputs))
    if name is None:
        told = ", ".join(f"{each} {list(shape)}" for each, shape in file.outputs.items())
        raise InputError(
            f"{file.path} has {len(file.outputs)} outputs: {told}",
            f"Choose one: onnx:{file.path},output=NAME",
        )
    if str(name) not in file.outputs:
        raise UnknownNameError(f"output of {file.path.name}", str(name), file.outputs)
    return str(name)


def _before(options: dict[str, Option]) -> int | None:
    before = options.get("before")
    if before is not None and (type(before) is not int or before < 0):
        raise InputError(f"before={before} is no number of tokens", "Write before=1.")
    return before


def _side(file: OnnxFile, resolution: int | None) -> Size:
    """Side of the images in pixels, from the input's shape.

    Raises:
        InputError: If the input has any size and none is asked for, or another than is asked for.
    """
    height, width = file.sides
    if not isinstance(height, int) or not isinstance(width, int):
        if resolution is None:
            raise InputError(
                f"{file.path} takes images of any size", "Choose one, as --resolution 224."
            )
        return resolution
    if resolution is not None and (height, width) != (resolution, resolution):
        raise InputError(
            f"{file.path} takes images of {width}×{height} pixels alone, not of {resolution}",
            "Leave --resolution out.",
        )
    return height if height == width else (height, width)


ONNX = Library(
    "onnx:FILE.onnx[,output=NAME]",
    "a network in the ONNX format (pip install 'lowlabel[onnx]')",
    check,
    open_model,
)
