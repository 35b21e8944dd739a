"""Presets: recipes in TOML files, and how their authors shared a batch among GPUs."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from lowlabel.errors import DataError, InputError, UnknownNameError, number_of
from lowlabel.reading import reading

RECIPES = "recipes"
TABLES = ("views", "options", "optimisation")
_FACTS = ("title", "gpus", "class_list")


@dataclass(frozen=True)
class PresetFacts:
    """What a preset says beside its recipe.

    Attributes:
        title: What it is.
        batch_size: Images in a step of the preset; 0 if it does not say.
        gpus: GPUs that its authors shared a batch among; 0 if unknown.
        class_list: Name of the published list of the classes that it trains on; empty for all.
    """

    title: str = ""
    batch_size: int = 0
    gpus: int = 0
    class_list: str = ""

    def sharing(
        self, batch_size: int, processes: int, accumulate: int, *, batch_norm: bool = False
    ) -> str | None:
        """How to keep a batch equal where a process computes more of it than the authors' GPUs.

        Args:
            batch_size: Images in a step, over all processes.
            processes: Number of processes that share a batch.
            accumulate: Number of parts that each process splits its share into.
            batch_norm: Whether the networks normalise with statistics of the batch.

        Returns:
            A sentence; None if no part of the batch is larger than theirs, or theirs is unknown.
        """
        if not self.gpus:
            return None
        part, theirs = batch_size // processes // accumulate, self.batch_size // self.gpus
        if part <= theirs:
            return None
        share = batch_size // processes
        fitting = next(n for n in range(1, share + 1) if share % n == 0 and share // n <= theirs)
        here = number_of(processes, "processes")
        return (
            f"the preset's authors had {theirs} images on each of {self.gpus} GPUs; here are "
            f"{part} at a time on {here}. If they do not fit: --accumulate {fitting} keeps steps "
            f"of {batch_size} images"
            + f", but for batch statistics, which are then of {share // fitting * processes}"
            * batch_norm
        )


def preset_names(folder: str = RECIPES) -> list[str]:
    """Names of the presets in a folder of the package."""
    files = resources.files("lowlabel.training").joinpath(folder).iterdir()
    return sorted(Path(file.name).stem for file in files if file.name.endswith(".toml"))


def preset_values(preset: str, folder: str = RECIPES) -> dict[str, Any]:
    """The values of a preset's top level and tables, without its facts.

    Args:
        preset: Name of a preset in `folder`, or path of a TOML file.
        folder: Folder of the package.

    Raises:
        UnknownNameError: If there is no such preset.
        DataError: If a file does not exist or is no valid TOML.
    """
    content = _read_preset(preset, folder)
    values = {key: value for key, value in content.items() if key not in {*TABLES, *_FACTS}}
    for table in TABLES:
        part = content.get(table, {})
        if not isinstance(part, dict):
            raise InputError(f"{table}={part!r} in a preset must be a table, [{table}]")
        values |= part
    return values


def preset_facts(preset: str | None) -> PresetFacts:
    """What a preset says beside its recipe; of no preset, nothing.

    Raises:
        UnknownNameError: If there is no such preset.
        DataError: If a file does not exist or is no valid TOML.
        InputError: If the GPUs do not share a batch equally.
    """
    if preset is None:
        return PresetFacts()
    content = _read_preset(preset, RECIPES)
    batch_size, gpus = _whole(content, "batch_size"), _whole(content, "gpus")
    if gpus and batch_size % gpus:
        raise InputError(f"{preset}: {gpus} GPUs cannot share a batch of {batch_size} equally")
    named = content.get("title", ""), content.get("class_list", "")
    return PresetFacts(str(named[0]), batch_size, gpus, str(named[1]))


def _whole(content: Mapping[str, Any], name: str) -> int:
    value = content.get(name, 0)
    if type(value) is not int or value < 0:
        raise InputError(f"{name}={value!r} must be a whole number")
    return value


def _read_preset(preset: str, folder: str) -> dict[str, Any]:
    path = Path(preset)
    if path.suffix == ".toml":
        if not path.is_file():
            raise DataError(f"there is no preset file {path}")
        with reading(path, f"the preset {preset} is not valid TOML"):
            return tomllib.loads(path.read_text(encoding="utf-8"))
    if preset not in preset_names(folder):
        raise UnknownNameError("preset", preset, preset_names(folder))
    file = resources.files("lowlabel.training") / folder / f"{preset}.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))
