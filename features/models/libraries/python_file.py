"""`python:FILE.py:FUNCTION`: a network that a function of the user's own file makes.

The function returns a module that gives features [B, D], or the module and its transform.
"""

from pathlib import Path

from torch import nn

from lowlabel.errors import DataError, InputError
from lowlabel.features.models.architectures import protocol_transform
from lowlabel.features.models.code.user_file import call_function
from lowlabel.features.models.encoders import Encoder, HubEncoder, TimmEncoder
from lowlabel.features.models.libraries.library import Library, sized
from lowlabel.features.models.source import Source, canonical_spec, take_pretraining
from lowlabel.paths import expanded
from lowlabel.specs import Option, parse_spec

_SIDE = 224


def check(rest: str) -> None:
    """Checks what can be known of `python:REST` before it is loaded."""
    path, _, options = _named(rest)
    take_pretraining(options)
    if not path.is_file():
        raise DataError(f"there is no file {path}", f"Check the path in --model python:{rest}")


def open_model(rest: str, resolution: int | None, any_size: bool) -> Source:
    """Loads `python:REST`; see `Library.open`."""
    from lowlabel.features.models.libraries.torchvision_steps import known_transform

    check(rest)
    path, function, options = _named(rest)
    seen, model = take_pretraining(options), f"{path.name}:{function}"
    found, code = call_function(path, function, options)
    module, given = found if isinstance(found, tuple) and len(found) == 2 else (found, None)
    if not isinstance(module, nn.Module):
        raise InputError(
            f"{model} returns a {type(module).__name__}, not a torch.nn.Module",
            "Return a module that gives features [B, D], or (module, transform).",
        )
    transform = protocol_transform(_SIDE) if given is None else known_transform(given, model)
    source = Source(
        function,
        canonical_spec("python", function, options, code),
        _encoder(module),
        transform,
        pretrained_on=seen,
    )
    return sized(source, resolution)


def _named(rest: str) -> tuple[Path, str, dict[str, Option]]:
    """File, function and options of `FILE.py:FUNCTION,option=value…`."""
    text, options = parse_spec(rest)
    name, _, function = text.rpartition(":")
    if not name.endswith(".py") or not function.isidentifier():
        raise InputError(
            f"python:{rest} names no function of a Python file", "Write python:FILE.py:FUNCTION."
        )
    return expanded(name), function, options


def _encoder(module: nn.Module) -> Encoder:
    if isinstance(module, Encoder):
        return module
    if type(module).__module__.startswith("timm.") and getattr(module, "num_classes", None) == 0:
        return TimmEncoder(module)
    return HubEncoder(module)


PYTHON_FILE = Library(
    "python:FILE.py:FUNCTION",
    "your own code: a function that returns a module, or (module, transform)",
    check,
    open_model,
)
