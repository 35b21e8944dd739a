"""Weights files by a pattern: `RUN/checkpoints/*.safetensors[:ARCH]` names every model there."""

from collections.abc import Iterable
from pathlib import Path

from lowlabel.datasets.io.lists import first_few
from lowlabel.errors import DataError
from lowlabel.features.models.libraries.catalogue import LIBRARIES
from lowlabel.features.models.weights_source import named_file
from lowlabel.paths import expanded
from lowlabel.specs import natural_order

_MARKS = ("*", "?", "[")
_NO_FILES = ("timm:", "hub:", "random:", *(f"{kind}:" for kind in LIBRARIES))
_MOST_NAMED = 5


def expand_models(specs: Iterable[str]) -> list[str]:
    """Replaces patterns of weights files by the files, by the numbers in their names.

    Raises:
        DataError: If no weights file matches a pattern.
    """
    return [model for spec in specs for model in _expanded(spec)]


def _expanded(spec: str) -> list[str]:
    if spec.startswith(_NO_FILES) or not any(mark in spec for mark in _MARKS):
        return [spec]
    path, arch = named_file(spec) or (expanded(spec), None)
    if path.is_file():
        return [spec]
    root = Path(path.anchor)
    matches = sorted(root.glob(str(path.relative_to(root))), key=_number_order)
    files = [file for file in matches if file.is_file() and named_file(str(file))]
    if not files:
        raise DataError(f"no weights file matches {path}: {_seen(path.parent, matches)}", _HINT)
    return [f"{file}:{arch}" if arch else str(file) for file in files]


_HINT = (
    "Check the path and the suffix, and quote the pattern: "
    "--model 'RUN/checkpoints/*.safetensors'. lowlabel pretrain --save-every N keeps these files."
)


def _seen(folder: Path, matches: list[Path]) -> str:
    """What lies where the files should."""
    if matches:
        return f"{len(matches):,} files match, and none is of weights"
    if any(mark in str(folder) for mark in _MARKS):
        return "nothing matches"
    if not folder.is_dir():
        return f"there is no folder {folder}"
    names = [file.name for file in sorted(folder.iterdir(), key=_number_order)]
    return f"{folder} holds {first_few(names, _MOST_NAMED) or 'nothing'}"


def _number_order(path: Path) -> list[tuple[int, str]]:
    return natural_order(str(path))
