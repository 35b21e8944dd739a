"""Linear probes on cached embeddings of the train part: DINO's recipe, and DINOv2's grid."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from lowlabel.arrays import as_integers, require_name
from lowlabel.benchmarks.protocols.label_kinds import label_kind
from lowlabel.benchmarks.protocols.supervised import Supervised
from lowlabel.benchmarks.protocols.trial import ProtocolScores, Trial
from lowlabel.classification import (
    RECIPES,
    LinearRecipe,
    evaluate_linear,
    evaluate_linear_several_labels,
)
from lowlabel.classification.unfinished import Unfinished
from lowlabel.datasets import Division
from lowlabel.errors import InputError
from lowlabel.features import BackboneOptions, EmbeddedDataset
from lowlabel.features.embedded import FILE
from lowlabel.features.models.encoders import Encoder
from lowlabel.progress import progress_bar
from lowlabel.results import Experiment, MethodInfo
from lowlabel.specs import Option, format_spec

_BLOCKS = 4
_BASE_WIDTH = 768  # from ViT-B on, DINO takes the mean of the patches instead of more blocks
_BLOCK_TOKENS = re.compile(r"cls@(\d+)\+mean")


@dataclass(frozen=True, kw_only=True)
class Linear(Supervised):
    """Accuracy of linear classifiers trained by SGD, a record for each recipe.

    Attributes:
        recipe: Names in `lowlabel.classification.RECIPES`.
        views: Number of random views of each train image that recipes by epochs learn from, one
            per epoch in turn; 0 for the centre crop.
        learning_rate: Rate for a batch of 256 images, for recipes of one rate; None for theirs.
        batch_size: Number of images in a batch; None for the recipe's.
        epochs: Passes over the train images, for recipes by epochs; None for theirs.
        iterations: Number of batches, for recipes by batches: by default a tenth of DINOv2's
            12,500, which are ten passes over ImageNet-1k.
        seed: Random seed of batches, first weights, views and the held-out tenth.
    """

    name: ClassVar[str] = "linear"
    chooses: ClassVar[bool] = True
    several_labels: ClassVar[bool] = True

    recipe: tuple[str, ...] = ("dino", "dinov2")
    views: int = 0
    learning_rate: float | None = None
    batch_size: int | None = None
    epochs: int | None = None
    iterations: int = 1250
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        as_integers(0, views=self.views, seed=self.seed)
        for name in self.recipe:
            require_name("recipe", name, tuple(RECIPES))
        recipes = [self._recipe(name) for name in self.recipe]
        if not recipes:
            raise InputError("no recipe is named", f"Known: {', '.join(RECIPES)}.")
        by_epochs = [each.iterations is None for each in recipes]
        single = [len(each.learning_rates) == 1 for each in recipes]
        self._require("views", any(by_epochs))
        self._require("epochs", any(by_epochs))
        self._require("iterations", not all(by_epochs))
        self._require("learning_rate", any(single))

    def backbone(self, asked: BackboneOptions, encoder: Encoder | None = None) -> BackboneOptions:
        """Class tokens of the last four blocks and the mean of the patches, where there are any."""
        if self.views and asked.framing not in (None, "crop"):
            raise InputError(
                f"linear.views={self.views} are random crops, and framing={asked.framing} keeps "
                "images whole",
                "Leave --framing out, or --set linear.views.",
            )
        if encoder is None or not encoder.depth:
            return asked.completed()
        return asked.completed(pooling=f"cls@{min(_BLOCKS, encoder.depth)}+mean")

    def view_seeds(self) -> tuple[int, ...]:
        """One seed for all views; their numbers tell them apart."""
        return (self.seed,) * self.views

    def unfit(self, division: Division) -> str | None:
        """As `Supervised`; a file of embeddings has no views."""
        if self.views and division.name == FILE:
            return "linear.views are made from images: leave them out to score --features."
        return super().unfit(division)

    def trials(self, data: EmbeddedDataset, device: str) -> Iterator[Trial]:
        """Yields a trial for each recipe."""
        for name in self.recipe:
            run = partial(self._score, data, name, device)
            yield Trial((self._experiment(data, name),), run, self.interval, run)

    def left_out(self, data: EmbeddedDataset) -> list[str]:
        """Labels that cannot be scored, where images have several."""
        return label_kind(data).left_out(data)

    def describe(self) -> str:
        """Such as "linear probe, recipe dino, dinov2"."""
        views = f", {self.views} views" if self.views else ""
        return f"linear probe, recipe {', '.join(self.recipe)}{views}"

    def _recipe(self, name: str) -> LinearRecipe:
        recipe = RECIPES[name]
        wanted: dict[str, Any] = {"batch_size": self.batch_size}
        length = "epochs" if recipe.iterations is None else "iterations"
        wanted[length] = getattr(self, length)
        if self.learning_rate is not None and len(recipe.learning_rates) == 1:
            wanted["learning_rates"] = (self.learning_rate,)
        changed = {field: value for field, value in wanted.items() if value is not None}
        return replace(recipe, **changed)

    def _require(self, option: str, fits: bool) -> None:
        if getattr(self, option) != getattr(type(self), option) and not fits:
            raise InputError(
                f"linear.{option}={getattr(self, option)} means nothing to recipe "
                f"{', '.join(self.recipe)}",
                f"Leave --set linear.{option} out, or choose another --set linear.recipe.",
            )

    def _experiment(self, data: EmbeddedDataset, name: str) -> Experiment:
        recipe, views = self._recipe(name), self._views(name)
        single = len(recipe.learning_rates) == 1
        shown: dict[str, Option] = {"recipe": name}
        shown |= {
            field: value
            for field, value in vars(recipe).items()
            if value != getattr(RECIPES[name], field) and field != "learning_rates"
        }
        if self.learning_rate is not None and single:
            shown["learning_rate"] = self.learning_rate
        shown |= {
            option: value for option, value in (("views", views), ("seed", self.seed)) if value
        }
        return self.experiment(
            data,
            self.protocol_name(data),
            dict(label_kind(data).options),
            MethodInfo(
                format_spec("linear-cached" if single else "linear-grid-cached", shown),
                self._options(data, name),
            ),
            *(data.train_views if views else (data.train_part,)),
            "val" if not single and data.validation is not None else None,
            data.evaluated_part,
        )

    def _options(self, data: EmbeddedDataset, name: str) -> dict[str, object]:
        """Every choice that the score depends on."""
        recipe, inputs = self._recipe(name), input_columns(data)
        length = "epochs" if recipe.iterations is None else "iterations"
        options: dict[str, object] = {
            "recipe": name,
            "batch_size": recipe.batch_size,
            length: getattr(recipe, length),
            "seed": self.seed,
        }
        if len(recipe.learning_rates) == 1:
            (rate,) = recipe.learning_rates
            return options | {
                "input": input_of_dino(inputs),
                "learning_rate": rate,
                "views": self._views(name),
            }
        tuned: dict[str, object] = {"part": "val"}
        if data.validation is None:
            tuned = {"part": data.train_part, "share": 0.1, "seed": self.seed}
        rates = list(recipe.learning_rates)
        return options | {"inputs": list(inputs), "learning_rates": rates, "tuned": tuned}

    def _views(self, name: str) -> int:
        return self.views if RECIPES[name].iterations is None else 0

    def _score(
        self, data: EmbeddedDataset, name: str, device: str, path: Path | None = None
    ) -> list[ProtocolScores]:
        recipe, columns, kind = self._recipe(name), input_columns(data), label_kind(data)
        made = {"experiment": self._experiment(data, name).identity()}
        validation = kind.validation(data)
        if len(recipe.learning_rates) == 1:
            dino = input_of_dino(columns)
            columns, validation = {dino: columns[dino]}, None
        views = data.train_views.values() if self._views(name) else ()
        evaluate = kind.pick(evaluate_linear, evaluate_linear_several_labels)
        with progress_bar(f"linear probe ({name}) on {data.title}", "step") as progress:
            result = evaluate(
                *kind.arrays(data),
                validation=validation,
                recipe=recipe,
                columns=columns,
                views=[view.features for view in views],
                seed=self.seed,
                groups=data.evaluated.groups,
                interval=self.interval,
                device=device,
                progress=progress,
                unfinished=None if path is None else Unfinished(path, made),
            )
        where = kind.held_out if validation is None else "val"
        return [kind.scores(result, data, chosen_on=where)]


def input_columns(data: EmbeddedDataset) -> dict[str, slice]:
    """The inputs of heads by name: DINOv2's four where blocks were pooled for them, else all.

    A table pooled by `cls@4+mean` holds the class tokens of the last four blocks, the earliest
    first, and the mean of the last patches: every input is a range of its columns.
    """
    pooling, width = data.embedder.pooling, data.evaluated.features.shape[1]
    match = _BLOCK_TOKENS.fullmatch(pooling)
    if match is None:
        return {pooling or "all": slice(0, width)}
    blocks = int(match[1])
    side = width // (blocks + 1)
    last, deep = (blocks - 1) * side, f"cls@{blocks}" if blocks > 1 else "cls"
    return {
        "cls": slice(last, blocks * side),
        "cls+mean": slice(last, width),
        deep: slice(0, blocks * side),
        f"{deep}+mean": slice(0, width),
    }


def input_of_dino(columns: dict[str, slice]) -> str:
    """The input of DINO: four blocks of ViT-S, the last block with the patches' mean of ViT-B."""
    if len(columns) == 1:
        return next(iter(columns))
    last = columns["cls"]
    if last.stop - last.start >= _BASE_WIDTH:
        return "cls+mean"
    return [name for name in columns if not name.endswith("+mean")][-1]
