"""The recipe of a run, made from defaults, a preset and the command line."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from lowlabel.errors import InputError, UnknownNameError
from lowlabel.fields import encode, fit, grown
from lowlabel.reading import physical_memory
from lowlabel.specs import parse_setting
from lowlabel.training.engine.optimisation import Optimisation
from lowlabel.training.methods import PRETRAIN_METHODS, MethodOptions
from lowlabel.training.presets import TABLES, preset_values

R = TypeVar("R", bound=Any)  # a dataclass with options, their views, and optimisation
DTYPES = ("float32", "bfloat16", "float16")
PROVENANCE = ("preset", "changed")
_LARGEST = 1 << 24
SEEDS = 2**31  # torch's generators take 64 bits, of which steps and streams need the others


@dataclass(frozen=True)
class Recipe:
    """Everything except the images that determines the resulting weights.

    Attributes:
        method: Name of the method.
        arch: The backbone, as for `--arch`.
        epochs: Passes over the images.
        batch_size: Images in an optimisation step, over all processes.
        seed: Random seed of weights, order and views.
        dtype: "float32", or "bfloat16" or "float16" for mixed precision.
        drop_path: Stochastic depth of the student's last block.
        options: The method's hyper-parameters and its views.
        optimisation: Optimiser and schedules.
        preset: Name of the preset that it was made from; empty if from none.
        changed: Names of what differs from the preset, other than the seed.
    """

    method: str = "dino"
    arch: str = "vit_small"
    epochs: int = 100
    batch_size: int = 256
    seed: int = 0
    dtype: str = "float32"
    drop_path: float = 0.1
    options: MethodOptions = field(default_factory=MethodOptions)
    optimisation: Optimisation = field(default_factory=Optimisation)
    preset: str = grown("")
    changed: tuple[str, ...] = grown(())

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise InputError(f"epochs must be at least 1, not {self.epochs}")
        if self.dtype not in DTYPES:
            raise UnknownNameError("dtype", self.dtype, DTYPES)
        check_seed(self.seed)
        if self.batch_size < 1:
            raise InputError(f"batch_size must be at least 1, not {self.batch_size}")
        check_numbers(self)
        self._check_head()

    def _check_head(self) -> None:
        """Raises an `InputError` if the head's largest matrices do not fit in memory."""
        names = ("hidden", "bottleneck", "prototypes")
        hidden, bottleneck, prototypes = (getattr(self.options, name, 0) for name in names)
        needed = 4 * (hidden * hidden + bottleneck * (hidden + prototypes))
        memory = physical_memory()
        if memory and needed > memory:
            raise InputError(
                f"hidden={hidden}, bottleneck={bottleneck}, prototypes={prototypes} need "
                f"{needed / 2**30:,.1f} GiB of memory; this computer has {memory / 2**30:,.1f} GiB",
                "Choose a smaller head.",
            )

    def as_dict(self) -> dict[str, Any]:
        """The recipe as plain JSON data, with lists for tuples."""
        return encode(self)  # type: ignore[no-any-return]


def check_seed(seed: int) -> None:
    """Raises an `InputError` if a seed is not in [0, `SEEDS`)."""
    if not 0 <= seed < SEEDS:
        raise InputError(f"seed must be at least 0 and below {SEEDS:,}, not {seed}")


def make_recipe(
    method: str | None = None,
    preset: str | None = None,
    settings: Sequence[str] = (),
    **overrides: Any,
) -> Recipe:
    """Makes a recipe: the method's defaults, overridden by the preset, then by the arguments.

    Args:
        method: Name of the method. Default: the preset's method, else "dino".
        preset: Name of a preset, or path of a TOML file in the same format.
        settings: `option=value` of the method, its views or the optimiser.
        overrides: Fields of `Recipe`; None keeps a field.

    Raises:
        UnknownNameError: If there is no such method, preset or option.
        InputError: If a value has the wrong type.
        DataError: If a preset file does not exist or is no valid TOML.
    """
    content = preset_values(preset) if preset else {}
    name = method or content.pop("method", "dino")
    if not isinstance(name, str):
        raise InputError(f"the method of the preset {preset} is {name!r}, not a name")
    if content.pop("method", name) != name:
        raise InputError(
            f"the preset {preset} is not for {name}",
            "Leave the method out, or give another --preset.",
        )
    values = content | {key: value for key, value in overrides.items() if value is not None}
    for setting in settings:
        option, value = parse_setting(setting)
        values[option] = value
    cls = PRETRAIN_METHODS[name]
    recipe = Recipe(method=name, options=cls.options_type(), optimisation=cls.optimisation)
    kind, fixed = f"option of {name}", ("method", *PROVENANCE)
    made = with_values(recipe, values, kind, fixed)
    return with_preset(made, with_values(recipe, content, kind, fixed), preset)


def with_preset(recipe: R, plain: R, preset: str | None) -> R:
    """The recipe with the name of its preset, and of what differs from the preset as it is.

    Args:
        recipe: The recipe.
        plain: The recipe of the preset alone.
        preset: Name or path of the preset; None for none.
    """
    if not preset:
        return recipe
    ours, theirs = flat(recipe), flat(plain)
    changed = sorted(name for name in ours if ours[name] != theirs[name] and name != "seed")
    return replace(recipe, preset=Path(preset).stem, changed=tuple(changed))


def flat(recipe: R) -> dict[str, Any]:
    """The values of a recipe and its parts by field."""
    parts = (recipe, recipe.optimisation, recipe.options, recipe.options.views)
    return {
        f.name: getattr(part, f.name)
        for part in parts
        for f in fields(part)
        if f.name not in TABLES
    }


def check_numbers(recipe: R) -> None:
    """Raises an `InputError` if a number of a recipe is not finite, or absurdly large."""
    for name, value in flat(recipe).items():
        if isinstance(value, float) and not math.isfinite(value):
            raise InputError(f"{name} must be finite, not {value}")
        if isinstance(value, int) and abs(value) > _LARGEST and name != "seed":
            raise InputError(f"{name} must be at most {_LARGEST:,}, not {value}")


def with_values(recipe: R, values: Mapping[str, Any], kind: str, fixed: tuple[str, ...]) -> R:
    """Replaces fields of a recipe, its optimisation, options and views by name.

    Args:
        recipe: The recipe.
        values: New values by field.
        kind: What the fields are, for messages.
        fixed: Fields that cannot be replaced.

    Raises:
        UnknownNameError: If there is no such field.
        InputError: If a value has the wrong type.
    """
    parts = (recipe, recipe.optimisation, recipe.options, recipe.options.views)
    owners = {
        f.name: (part, f.type) for part in parts for f in fields(part) if f.name not in TABLES
    }
    changes: dict[int, dict[str, Any]] = {id(part): {} for part in parts}
    for name, value in values.items():
        if name not in owners or name in fixed:
            raise UnknownNameError(kind, name, owners.keys() - set(fixed))
        part, type_ = owners[name]
        changes[id(part)][name] = fit(name, value, type_)
    top_level, optimisation, options, views = (changes[id(part)] for part in parts)
    options["views"] = replace(recipe.options.views, **views)
    return replace(
        recipe,
        options=replace(recipe.options, **options),
        optimisation=replace(recipe.optimisation, **optimisation),
        **top_level,
    )
