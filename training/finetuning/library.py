"""Losses, miners and their options in pytorch-metric-learning, by name."""

import importlib
import importlib.util
import inspect
from collections.abc import Collection, Mapping, Sequence
from types import ModuleType
from typing import Any

from torch import nn

from lowlabel.errors import InputError, UnknownNameError, UserError
from lowlabel.specs import Option, format_spec

_PACKAGE = "pytorch_metric_learning"
_PARTS = {"distance": "distances", "reducer": "reducers"}
_SIZES = ("num_classes", "embedding_size", "descriptors_dim")
_UNUSABLE = {
    "BaseMetricLossFunction": "it is the base of the others",
    "GenericPairLoss": "it is the base of the others",
    "CrossBatchMemory": "it wraps another loss and keeps embeddings of earlier batches",
    "ManifoldLoss": "it takes embeddings without labels",
    "MultipleLosses": "it wraps other losses",
    "SelfSupervisedLoss": "it takes two views of each image instead of labels",
    "VICRegLoss": "it takes two views of each image instead of labels",
}
REFUSALS = (  # what the library raises for a value that it cannot use
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
_NO_MINERS = ("BaseMiner", "EmbeddingsAlreadyPackagedAsTriplets")


def require_library() -> None:
    """Raises a `UserError` if pytorch-metric-learning is not installed."""
    if importlib.util.find_spec(_PACKAGE) is None:
        raise UserError(
            "this loss needs pytorch-metric-learning, which is not installed",
            "pip install 'lowlabel[metric-learning]'",
        )


def library_losses() -> dict[str, type[nn.Module]]:
    """The loss classes that take embeddings and labels, by name."""
    base = _module("losses").BaseMetricLossFunction
    found = _classes("losses").items()
    return {n: c for n, c in found if issubclass(c, base) and n not in _UNUSABLE}


def library_miners() -> dict[str, type[nn.Module]]:
    """The miner classes that choose pairs or triplets of a batch, by name."""
    base = _module("miners").BaseMiner
    found = _classes("miners").items()
    return {n: c for n, c in found if issubclass(c, base) and n not in _NO_MINERS}


def make(
    kind: str,
    known: Mapping[str, type[nn.Module]],
    name: str,
    options: Mapping[str, Option],
    sizes: Mapping[str, int],
    others: Sequence[str] = (),
) -> nn.Module:
    """Makes a loss or a miner.

    Args:
        kind: "loss" or "miner", for messages.
        known: The classes.
        name: The class.
        options: Its options; `distance` and `reducer` are names of the library's classes.
        sizes: Numbers of classes and dimensions, for arguments without a default.
        others: Further names to suggest.

    Raises:
        UnknownNameError: If there is no such class, option, distance or reducer.
        InputError: If the class cannot be used here, or refuses a value.
    """
    check_name(kind, known, name, others)
    cls = known[name]
    for option in options:
        if option not in _options(cls):
            raise UnknownNameError(f"option of {name}", option, _options(cls) - set(_SIZES))
    if missing := _required(cls) - set(_SIZES) - options.keys():
        raise InputError(
            f"{name} needs a value of {', '.join(sorted(missing))}",
            f"For example: {format_spec(name, dict.fromkeys(missing, 1))}",
        )
    required = {size: sizes[size] for size in _required(cls) & set(_SIZES)}
    try:
        values = {option: _value(option, value) for option, value in options.items()}
        made: nn.Module = cls(**{**required, **values})
    except UserError:
        raise
    except REFUSALS as error:
        raise refused(kind, format_spec(name, options), error) from error
    return made


def check_name(kind: str, known: Collection[str], name: str, others: Sequence[str] = ()) -> None:
    """Raises an error if a loss or a miner does not exist, or cannot be used; see `make`."""
    if name in _UNUSABLE:
        raise InputError(f"the loss {name} cannot be used: {_UNUSABLE[name]}")
    if name not in known:
        raise UnknownNameError(kind, name, [*others, *known])


def refused(kind: str, spec: str, error: Exception) -> InputError:
    """The error of options that a class of the library does not take."""
    reason = (str(error) or type(error).__name__).splitlines()[0]
    return InputError(f"the {kind} {spec} is not possible: {reason}")


def _value(option: str, value: Option) -> Any:
    if option not in _PARTS:
        return value
    known = _classes(_PARTS[option])
    if value not in known:
        raise UnknownNameError(option, str(value), known)
    return known[str(value)]()


def _module(name: str) -> ModuleType:
    require_library()
    return importlib.import_module(f"{_PACKAGE}.{name}")


def _classes(module: str) -> dict[str, type[nn.Module]]:
    found = vars(_module(module)).items()
    return {
        name: value
        for name, value in found
        if inspect.isclass(value) and issubclass(value, nn.Module)
    }


def _options(cls: type) -> set[str]:
    """Arguments of a class and of its parents in the library, which receive its `**kwargs`."""
    return {parameter.name for parent in _parents(cls) for parameter in _arguments(parent)}


def _required(cls: type) -> set[str]:
    """Arguments without a default; of the parents only sizes, as the class gives them the rest."""
    own, *parents = _parents(cls)
    inherited = {p.name for parent in parents for p in _arguments(parent) if _is_required(p)}
    return {p.name for p in _arguments(own) if _is_required(p)} | (inherited & set(_SIZES))


def _parents(cls: type) -> list[type]:
    others = ("torch.", "builtins")
    return [p for p in cls.__mro__ if not p.__module__.startswith(others) and "__init__" in vars(p)]


def _arguments(cls: type) -> list[inspect.Parameter]:
    variadic = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    _, *arguments = inspect.signature(vars(cls)["__init__"]).parameters.values()
    return [argument for argument in arguments if argument.kind not in variadic]


def _is_required(argument: inspect.Parameter) -> bool:
    return argument.default is inspect.Parameter.empty
