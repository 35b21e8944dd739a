"""The options of `lowlabel pretrain`, in groups."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from lowlabel.cli import names, options
from lowlabel.cli.options import option
from lowlabel.cli.training_options import (
    LOADER_PROCESSES,
    Augment,
    Compile,
    LoaderProcesses,
    Precision,
    RunFolder,
)

if TYPE_CHECKING:
    from lowlabel.training import Recipe, RunOptions


@dataclass(frozen=True)
class ImagesGroup:
    """The images to train on."""

    dataset: Annotated[
        str | None,
        option(
            "Data",
            f"{options.IMAGES}, with or without classes. Only the training part of a dataset is "
            "used.",
        ),
    ] = None
    class_list: Annotated[
        Path | None,
        option(
            "Data",
            "File of class folders to train on, one per line; or a published list: "
            f"{', '.join(names.class_lists())}.",
            default="the preset's, else all of them",
        ),
    ] = None
    allow_partial: options.AllowPartial = False


@dataclass(frozen=True)
class RecipeGroup:
    """What decides the weights."""

    preset: Annotated[
        str | None,
        option(
            "Recipe",
            f"{', '.join(names.presets())}, or a TOML file. The other options override it.",
        ),
    ] = None
    arch: Annotated[
        str | None,
        option(
            "Recipe",
            "Backbone: timm:NAME or a short name such as vit_small or resnet50, each with "
            ",option=value…",
            default="the preset's, else vit_small",
        ),
    ] = None
    epochs: Annotated[
        int | None,
        option("Recipe", "Passes over the images.", default="the preset's, else 100"),
    ] = None
    batch_size: Annotated[
        int | None,
        option("Recipe", "Images per step, over all processes.", default="the preset's, else 256"),
    ] = None
    seed: Annotated[
        int | None,
        option(
            "Recipe",
            "Random seed of the weights, the order and the views.",
            default="the preset's, else 0",
        ),
    ] = None
    dtype: Precision = None
    settings: Annotated[
        list[str] | None,
        option(
            "Recipe",
            "Any other option=value of the method, its views or the optimiser, such as "
            "prototypes=4096; --dry-run lists them. Repeats.",
            "--set",
        ),
    ] = None
    start: Annotated[
        Path | None, option("Recipe", "Checkpoint of DINO's own code to start from.")
    ] = None

    def build(self, method: str | None) -> "Recipe":
        """The recipe of a method; None for the preset's."""
        from lowlabel.training import make_recipe

        return make_recipe(
            method,
            self.preset,
            self.settings or (),
            arch=self.arch,
            epochs=self.epochs,
            batch_size=self.batch_size,
            seed=self.seed,
            dtype=self.dtype,
        )


@dataclass(frozen=True)
class RunGroup:
    """How the run is carried out and what it writes."""

    device: options.Device = "auto"
    workers: LoaderProcesses = LOADER_PROCESSES
    accumulate: Annotated[
        int, option("Machine", "Parts to split each process's batch into, to save memory.")
    ] = 1
    augment: Augment = "auto"
    compile: Compile = False
    launcher: options.LauncherSpec = None
    output: RunFolder = None
    knn_every: Annotated[
        int, option("Results", "Epochs between k-NN scores on held-out labels; 0 for none.")
    ] = 0
    save_every: Annotated[
        int,
        option(
            "Results",
            "Epochs between backbones that are kept as checkpoints/epoch_NNN.safetensors, the "
            "untrained one and the last included; 0 keeps none.",
        ),
    ] = 0
    dino_format: Annotated[
        bool,
        option(
            "Results",
            "Also write dino_checkpoint.pth in the format of DINO's own code.",
            "--dino-format",
        ),
    ] = False
    dry_run: options.DryRun = False

    def build(self) -> "RunOptions":
        """The options of `lowlabel.training.pretrain`.

        Raises:
            InputError: If there is no folder to write to.
        """
        from lowlabel.errors import InputError
        from lowlabel.training import RunOptions

        if self.output is None:
            raise InputError("pretrain needs an --output folder", "For example: --output runs/dino")
        return RunOptions(
            self.output,
            self.workers,
            self.accumulate,
            self.augment,
            self.compile,
            self.knn_every,
            dino_format=self.dino_format,
            save_every=self.save_every,
        )
