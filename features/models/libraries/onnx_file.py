"""The outline of an ONNX file: its inputs and outputs, and the files that belong to it."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lowlabel.errors import DataError, InputError
from lowlabel.features.models.libraries.library import require
from lowlabel.reading import reading

_BLOCK = 1 << 24
Dimension = int | str  # a number, or the name of a size that may vary


@dataclass(frozen=True)
class OnnxFile:
    """What is read of an ONNX file before a session is made of it.

    Attributes:
        path: The file.
        input: Name of its image input.
        shape: Shape of the input: [N, 3, H, W], or [N, H, W, 3].
        outputs: Shape of each output by its name.
        data: Files beside it that hold its tensors.
    """

    path: Path
    input: str
    shape: tuple[Dimension, ...]
    outputs: dict[str, tuple[Dimension, ...]]
    data: tuple[Path, ...]

    @property
    def channels_last(self) -> bool:
        """Whether the input is [N, H, W, 3]."""
        return self.shape[1] != 3

    @property
    def sides(self) -> tuple[Dimension, Dimension]:
        """Height and width of the input."""
        height, width = self.shape[1:3] if self.channels_last else self.shape[2:4]
        return height, width

    def sha256(self) -> bytes:
        """Hash of the file and of those that hold its tensors."""
        digest = hashlib.sha256()
        for file in (self.path, *self.data):
            with file.open("rb") as opened:
                while block := opened.read(_BLOCK):
                    digest.update(block)
        return digest.digest()


def read_onnx(path: Path) -> OnnxFile:
    """Reads the outline of an ONNX file; nothing of it runs.

    Raises:
        DataError: If it is missing or damaged, or its tensors lie outside its folder.
        InputError: If its input is no batch of images.
    """
    require("onnx", "onnx")
    import onnx

    if not path.is_file():
        raise DataError(f"there is no file {path}", "Check the path given with --model onnx:…")
    with reading(path, f"{path} is not an ONNX file", "Export it again.", _damage()):
        model = onnx.load(str(path), load_external_data=False)
    held = {tensor.name for tensor in model.graph.initializer}
    inputs = [each for each in model.graph.input if each.name not in held]
    shapes = {each.name: _shape(each) for each in (*inputs, *model.graph.output)}
    shape = shapes[inputs[0].name] if len(inputs) == 1 else ()
    if len(shape) != 4 or 3 not in (shape[1], shape[3]):
        told = ", ".join(f"{each.name} {list(shapes[each.name])}" for each in inputs)
        raise InputError(
            f"{path} does not take one batch of colour images: its inputs are {told or 'none'}",
            "Export a model with one input [N, 3, H, W].",
        )
    outputs = {each.name: shapes[each.name] for each in model.graph.output}
    return OnnxFile(path, inputs[0].name, shape, outputs, _data_files(model, path))


def _shape(value: Any) -> tuple[Dimension, ...]:
    dimensions = value.type.tensor_type.shape.dim
    return tuple(each.dim_value or each.dim_param or "?" for each in dimensions)


def _data_files(model: Any, path: Path) -> tuple[Path, ...]:
    """The files that hold tensors, which must lie in the model's folder or below.

    Raises:
        DataError: If one lies elsewhere, or is missing.
    """
    found, folder = set[Path](), path.resolve().parent
    for location in _locations(model):
        file = (folder / location).resolve()
        if not file.is_relative_to(folder):
            raise DataError(
                f"{path} reads the file {location!r}, which is outside its folder",
                "Save it with its tensors inside, or beside it: onnx.save_model.",
            )
        if not file.is_file():
            raise DataError(
                f"there is no {file}, which holds tensors of {path.name}",
                "Put it beside the model.",
            )
        found.add(file)
    return tuple(sorted(found))


def _locations(message: Any) -> set[str]:
    """Names of files in all tensors of a message, also those in nodes and subgraphs."""
    import onnx

    if isinstance(message, onnx.TensorProto):
        return {each.value for each in message.external_data if each.key == "location"}
    found = set[str]()
    for field, value in message.ListFields():
        if field.message_type is not None:
            every = [value] if hasattr(value, "ListFields") else list(value)
            found |= set[str]().union(*map(_locations, every))
    return found


def _damage() -> tuple[type[Exception], ...]:
    from google.protobuf.message import DecodeError

    return (DecodeError,)
