"""The recipe of a fine-tuning run, made from the loss's preset and the command line."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from lowlabel.errors import InputError, UnknownNameError
from lowlabel.fields import encode, grown
from lowlabel.specs import parse_setting, parse_spec
from lowlabel.training.finetuning.options import FinetuneOptimisation, FinetuneOptions
from lowlabel.training.presets import preset_names, preset_values
from lowlabel.training.recipe import (
    DTYPES,
    PROVENANCE,
    check_numbers,
    check_seed,
    with_preset,
    with_values,
)

PRESETS = "finetuning/recipes"
FROZEN: dict[str, Any] = {  # a head alone bears faster steps, and costs little
    "epochs": 40,
    "images_per_class": 4,
    "dimension": 384,
    "lr": 1e-4,
    "loss_lr": 5e-3,
    "criterion": "map@r",
}


@dataclass(frozen=True)
class FinetuneRecipe:
    """Everything except the images that determines the tuned weights.

    Attributes:
        model: The base model, as for `--model`.
        loss: The loss, as for `build_loss`.
        epochs: Passes over the images of the learned classes.
        batch_size: Images in an optimisation step, over all processes.
        seed: Random seed of head, proxies, classes, order and views.
        dtype: "float32", or "bfloat16" or "float16" for mixed precision.
        resolution: Side of the images in pixels; 0 for the model's own.
        pooling: Pooling that the head takes; empty for the model's own.
        resize_before: Length of the shorter side before the centre crop that scores are taken on,
            in pixels; 0 for the model's own.
        resample: Its interpolation; empty for the model's own.
        preset: Name of the preset that it was made from; empty if from none.
        changed: Names of what differs from the preset, other than the seed.
        options: What is tuned, and how the epoch is chosen.
        optimisation: Optimiser and schedule.
        frozen: Whether only a head is tuned, on features that stay as they are.
    """

    model: str
    loss: str = "margin"
    epochs: int = 150
    batch_size: int = 112
    seed: int = 0
    dtype: str = "float32"
    resolution: int = 0
    pooling: str = ""
    options: FinetuneOptions = field(default_factory=FinetuneOptions)
    optimisation: FinetuneOptimisation = field(default_factory=FinetuneOptimisation)
    frozen: bool = grown(False)
    resize_before: int = grown(0)
    resample: str = grown("")
    preset: str = grown("")
    changed: tuple[str, ...] = grown(())

    def __post_init__(self) -> None:
        if self.frozen:
            self._check_frozen()
        if self.epochs < 1:
            raise InputError(f"epochs must be at least 1, not {self.epochs}")
        if self.batch_size < 1:
            raise InputError(f"batch_size must be at least 1, not {self.batch_size}")
        if self.dtype not in DTYPES:
            raise UnknownNameError("dtype", self.dtype, DTYPES)
        check_seed(self.seed)
        check_numbers(self)

    def for_base(self, side: int, pooling: str) -> Self:
        """The recipe with the side of the base model's images, in pixels, and its pooling."""
        views = replace(self.options.views, global_size=side)
        return replace(self, pooling=pooling, options=replace(self.options, views=views))

    def _check_frozen(self) -> None:
        o = self.options
        for name in ("freeze_blocks", "lora"):
            if getattr(o, name):
                raise InputError(
                    f"{name}={getattr(o, name)} tunes the backbone, which frozen leaves as it is",
                    "Leave one of them out.",
                )
        if self.dtype != "float32":
            raise InputError(
                f"dtype={self.dtype} means nothing to frozen: the features are those of the store, "
                "and the head is tuned in float32",
                "Leave --dtype out.",
            )
        if not o.head_layers:
            raise InputError(
                "a head without layers has nothing to tune on frozen features",
                "Give it 1 or 2 --head-layers.",
            )
        if not o.images_per_class:
            raise InputError(
                "frozen takes class-balanced batches, not images_per_class=0",
                "Give --images-per-class 2 or more.",
            )

    def as_dict(self) -> dict[str, Any]:
        """The recipe as plain JSON data, with lists for tuples."""
        return encode(self)  # type: ignore[no-any-return]


def finetune_presets() -> list[str]:
    """Names of the losses with a preset of their own."""
    return preset_names(PRESETS)


def make_finetune_recipe(
    model: str,
    loss: str | None = None,
    preset: str | None = None,
    settings: Sequence[str] = (),
    *,
    frozen: bool = False,
    **overrides: Any,
) -> FinetuneRecipe:
    """Makes a recipe: the defaults, overridden by the preset, then by the arguments.

    Args:
        model: The base model, as for `--model`.
        loss: The loss with its options. Default: the preset's loss, else "margin".
        preset: Name of a preset, or path of a TOML file. Default: the loss's own, if it has one.
        settings: `option=value` of the recipe's parts.
        frozen: Tune a head alone, as `frozen` in a preset or a setting does too; the values of
            `FROZEN` then override those of a loss's preset.
        overrides: Fields of the recipe or its parts; None keeps a field.

    Raises:
        UnknownNameError: If there is no such preset or option.
        InputError: If a value has the wrong type or is not possible.
    """
    name = parse_spec(loss)[0] if loss else "margin"
    own = name if preset is None and name in finetune_presets() else None
    values = preset_values(own, PRESETS) if own else {}
    of_preset = preset_values(preset, PRESETS) if preset else {}
    given: dict[str, Any] = {"loss": loss} if loss else {}
    given |= {key: value for key, value in overrides.items() if value is not None}
    given |= {"frozen": True} if frozen else {}
    given |= dict(map(parse_setting, settings))
    if "global_size" in of_preset | given:
        raise InputError(
            "global_size is the side of the model's images, and cannot be set apart",
            "Give --resolution.",
        )
    if (of_preset | given).get("frozen") is True:
        values |= FROZEN | {"frozen": True}
    values |= of_preset
    plain = {**values}
    values |= given
    kind, fixed = "option of finetune", ("model", *PROVENANCE)
    made, named = (with_values(FinetuneRecipe(model), v, kind, fixed) for v in (values, plain))
    if "dimension" in given and not made.options.head_layers:
        raise InputError(
            f"dimension={made.options.dimension} means nothing to a head without layers, which "
            "keeps the length of the backbone's output",
            "Leave --dimension out, or give 1 or 2 --head-layers.",
        )
    return with_preset(made, named, preset or own)
