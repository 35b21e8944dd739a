"""The options of `lowlabel finetune`, in groups."""

from dataclasses import dataclass
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
    from lowlabel.training import RunOptions
    from lowlabel.training.finetuning import FinetuneRecipe


@dataclass(frozen=True)
class TunedGroup:
    """What is tuned, on which images."""

    model: Annotated[
        str | None,
        option(
            "Model",
            "dino_vits16, timm:NAME[,option=value…], PATH.pth[:ARCH[,option=value…]] or "
            "random:ARCH.",
        ),
    ] = None
    resolution: options.Resolution = None
    pooling: options.Pooling = None
    resize: options.Resize = None
    interpolation: options.Interpolation = None
    dataset: Annotated[
        str | None,
        option(
            "Data",
            f"{options.IMAGES}. Only the train part is used; without a division, that of "
            "zero-shot retrieval.",
        ),
    ] = None
    allow_partial: options.AllowPartial = False
    skip_bad_images: options.SkipBadImages = False

    def required(self) -> str:
        """The dataset.

        Raises:
            InputError: If there is no dataset or no model.
        """
        from lowlabel.errors import InputError

        if self.dataset is None:
            raise InputError(
                "finetune needs a --dataset", "For example: --dataset cub, or folder:PATH"
            )
        if self.model is None:
            raise InputError("finetune needs a --model", "For example: --model dinov2_vits14")
        return self.dataset


@dataclass(frozen=True)
class LossGroup:
    """What decides the weights."""

    loss: Annotated[
        str | None,
        option(
            "Recipe",
            f"{', '.join(names.finetune_presets())}, or a loss class of pytorch-metric-learning; "
            "each with ,option=value…",
            default="the preset's, else margin",
        ),
    ] = None
    preset: Annotated[
        str | None,
        option(
            "Recipe",
            "TOML file of settings; the other options override it.",
            default="the loss's own",
        ),
    ] = None
    frozen: Annotated[
        bool,
        option(
            "Recipe",
            "Tune a head alone, on cached features: seconds. Its defaults: 40 epochs, 4 images of "
            "each class, 384 dimensions, lr=1e-4, loss_lr=5e-3, criterion=map@r.",
            "--frozen",
        ),
    ] = False
    epochs: Annotated[
        int | None,
        option("Recipe", "Passes over the images.", default="the preset's, else 150"),
    ] = None
    batch_size: Annotated[
        int | None,
        option("Recipe", "Images per step, over all processes.", default="the preset's, else 112"),
    ] = None
    images_per_class: Annotated[
        int | None,
        option(
            "Recipe",
            "Images of each class in a batch; 0 for batches without regard to classes.",
            default="the preset's, else 2",
        ),
    ] = None
    dimension: Annotated[
        int | None,
        option("Recipe", "Length of the embeddings.", default="the preset's, else 128"),
    ] = None
    head_layers: Annotated[
        int | None,
        option(
            "Recipe",
            "Layers of the embedding head; 0 tunes the backbone's own output.",
            default="the preset's, else 1",
        ),
    ] = None
    freeze_blocks: Annotated[
        int | None,
        option("Recipe", "Number of first blocks that are not tuned.", default="none"),
    ] = None
    lora: Annotated[
        int | None,
        option(
            "Recipe",
            "Rank of adapters, tuned in place of the weights and added to them at the end.",
            default="no adapters",
        ),
    ] = None
    validation: Annotated[
        float | None,
        option(
            "Recipe",
            "Share of the train classes to choose the epoch on; 0 keeps the last epoch.",
            default="the preset's, else 0.2",
        ),
    ] = None
    seed: Annotated[
        int | None,
        option(
            "Recipe",
            "Random seed of head, classes, order and views.",
            default="the preset's, else 0",
        ),
    ] = None
    dtype: Precision = None
    settings: Annotated[
        list[str] | None,
        option(
            "Recipe",
            "Any other option=value of the recipe, such as lr=1e-5, head_lr=1e-4, loss_lr=5e-4 or "
            "warmup_epochs=1; --dry-run lists them. Repeats.",
            "--set",
        ),
    ] = None

    def build(self, tuned: TunedGroup) -> "FinetuneRecipe":
        """The recipe for a model."""
        from lowlabel.training.finetuning import make_finetune_recipe

        return make_finetune_recipe(
            tuned.model or "",
            self.loss,
            self.preset,
            self.settings or (),
            frozen=self.frozen,
            resolution=tuned.resolution,
            pooling=tuned.pooling,
            resize_before=tuned.resize,
            resample=tuned.interpolation,
            epochs=self.epochs,
            batch_size=self.batch_size,
            images_per_class=self.images_per_class,
            dimension=self.dimension,
            head_layers=self.head_layers,
            freeze_blocks=self.freeze_blocks,
            lora=self.lora,
            validation=self.validation,
            seed=self.seed,
            dtype=self.dtype,
        )


@dataclass(frozen=True)
class TuningRunGroup:
    """How the run is carried out and what it writes."""

    device: options.Device = "auto"
    workers: LoaderProcesses = LOADER_PROCESSES
    accumulate: Annotated[
        int,
        option(
            "Machine",
            "Parts to embed each process's batch in, to save memory; the loss sees all of it.",
        ),
    ] = 1
    augment: Augment = "auto"
    compile: Compile = False
    output: RunFolder = None
    dry_run: options.DryRun = False

    def unused_when_frozen(self) -> list[str]:
        """Options that were given and that a frozen backbone has no use for."""
        given = {
            "--accumulate": self.accumulate != 1,
            "--augment": self.augment != "auto",
            "--compile": self.compile,
        }
        return [name for name, is_given in given.items() if is_given]

    def build(self) -> "RunOptions":
        """The options of `lowlabel.training.finetuning.finetune`.

        Raises:
            InputError: If there is no folder to write to.
        """
        from lowlabel.errors import InputError
        from lowlabel.training import RunOptions

        if self.output is None:
            raise InputError("finetune needs an --output folder", "For example: --output runs/cub")
        return RunOptions(self.output, self.workers, self.accumulate, self.augment, self.compile)
