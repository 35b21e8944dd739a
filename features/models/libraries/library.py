"""What every kind of model from another library shares."""

import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec

from lowlabel.errors import InputError
from lowlabel.features.models.source import Source
from lowlabel.specs import Option


@dataclass(frozen=True)
class Library:
    """A kind of model name, `KIND:REST`.

    Attributes:
        form: The name's form, such as "hf:OWNER/NAME|FOLDER".
        about: One line for `lowlabel list`.
        check: Checks what can be known of `REST` before the model is loaded.
        open: Loads `REST` for images of a side in pixels (None for the model's own), and of any
            size if the last argument is true.
    """

    form: str
    about: str
    check: Callable[[str], None]
    open: Callable[[str, int | None, bool], Source]

    def load(self, rest: str, resolution: int | None, any_size: bool) -> Source:
        """Loads a model; what was assumed, left out or resampled is a warning."""
        source = self.open(rest, resolution, any_size)
        if source.notes:
            warnings.warn(f"{source.name}: {'; '.join(source.notes)}", stacklevel=2)
        return source


def require(module: str, extra: str) -> None:
    """Raises an `InputError` that names the extra unless an optional library is installed."""
    if find_spec(module) is None:
        raise InputError(
            f"{module} is not installed, which this model needs", f"pip install 'lowlabel[{extra}]'"
        )


def check_known(form: str, options: Mapping[str, Option], known: Collection[str]) -> None:
    """Raises an `InputError` if a name has options that its kind does not take."""
    if unknown := sorted(options.keys() - set(known)):
        raise InputError(
            f"{form} does not take the option {', '.join(unknown)}",
            f"It takes: {', '.join(known)}.",
        )


def sized(source: Source, resolution: int | None) -> Source:
    """The source for images of another side, with the same part of them in the crop."""
    if resolution is None:
        return source
    return replace(source, transform=source.transform.at(resolution))
