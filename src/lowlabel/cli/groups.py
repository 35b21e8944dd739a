"""Groups of options that commands share, as dataclasses.

Typer knows no groups: `grouped` gives it a flat signature and packs the values back.

    @grouped
    def extract(model: options.Models = None, *, machine: MachineGroup) -> None: ...
"""

import inspect
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, get_type_hints

from lowlabel.cli import options

if TYPE_CHECKING:
    from lowlabel.features import Backbone, BackboneOptions, ExtractionOptions
    from lowlabel.processes.team import Team


@dataclass(frozen=True)
class DataGroup:
    """What is taken of a dataset, and which of its flaws are allowed."""

    class_list: options.ClassList = None
    allow_partial: options.AllowPartial = False
    skip_bad_images: options.SkipBadImages = False


@dataclass(frozen=True)
class BackboneGroup:
    """How a model is loaded; None stands for the choice of the protocol or the model."""

    pooling: options.Pooling = None
    resolution: options.Resolution = None
    resize: options.Resize = None
    interpolation: options.Interpolation = None
    framing: options.Framing = None
    multi_scale: options.MultiScale = False
    orientation: options.Orientation = "stored"
    dtype: options.Dtype = "float32"

    def options(self, device: str) -> "BackboneOptions":
        """The options of `load_backbone` on a device, to be completed by a protocol."""
        from lowlabel.datasets.io.pixels import known_orientation
        from lowlabel.features import BackboneOptions, known_framing

        return BackboneOptions(
            self.pooling,
            self.resolution,
            known_framing(self.framing),
            options.MULTI_SCALE if self.multi_scale else None,
            self.dtype,
            device,
            known_orientation(self.orientation),
            self.resize,
            self.interpolation,
        )

    def load(self, model: str, device: str) -> "Backbone":
        """Loads a model; without a framing, images are cropped at the centre."""
        return self.options(device).completed().load(model)


@dataclass(frozen=True)
class MachineGroup:
    """How features are computed; none of these options changes a result."""

    device: options.Device = "auto"
    batch_size: options.BatchSize = 32
    workers: options.Workers = options.DECODING_THREADS
    engine: options.Engine = "auto"

    @property
    def own_device(self) -> str:
        """The device of this process: under torchrun each has a GPU of its own."""
        from lowlabel.processes.torchrun import planned_processes
        from lowlabel.processes.world import process_device

        return str(process_device(self.device)) if planned_processes() > 1 else self.device

    def extraction(
        self, *, skip_bad_images: bool = False, team: "Team | None" = None
    ) -> "ExtractionOptions":
        """The options of `extract_features`."""
        from lowlabel.features import ExtractionOptions

        return ExtractionOptions(self.batch_size, self.workers, skip_bad_images, self.engine, team)


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """Turns each parameter of `command` that is a dataclass into one option per field.

    Args:
        command: A function for `typer.Typer.command`. The fields of its dataclasses are annotated
            as its own parameters are: `Annotated[TYPE, typer.Option(…)]`.

    Returns:
        A function of the fields and the other parameters, which typer can inspect.

    Raises:
        ValueError: If two options have the same name.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}
    signature = inspect.signature(command)
    parameters: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        if parameter.name in groups:
            parameters += _parameters(groups[parameter.name])
        else:
            kind = inspect.Parameter.KEYWORD_ONLY
            parameters.append(parameter.replace(kind=kind, annotation=hints[parameter.name]))

    @wraps(command)
    def flat(**values: Any) -> None:
        for name, group in groups.items():
            values[name] = group(**{field.name: values.pop(field.name) for field in fields(group)})
        command(**values)

    flat.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    flat.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return flat


def _parameters(group: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is MISSING else field.default,
            annotation=hints[field.name],
        )
        for field in fields(group)
    ]
