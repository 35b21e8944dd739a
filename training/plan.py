"""The plan of a pretraining run: a recipe on a set of images."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from lowlabel.datasets import CONTENT, ImageSet
from lowlabel.datasets.pretraining import pretraining_set
from lowlabel.errors import InputError
from lowlabel.paths import file_sha256
from lowlabel.processes.world import World
from lowlabel.training.backbones import backbone_maker, parameter_count, resolve_architecture
from lowlabel.training.engine.options import RunOptions
from lowlabel.training.engine.run_plan import RunPlan
from lowlabel.training.engine.schedules import Schedules, warmup_constant, warmup_cosine
from lowlabel.training.engine.step import has_batch_norm
from lowlabel.training.listing import PretrainData
from lowlabel.training.methods import PRETRAIN_METHODS, PretrainMethod
from lowlabel.training.methods.dino_format import read_dino_checkpoint, require_dino
from lowlabel.training.methods.probe import make_probe
from lowlabel.training.methods.step import PretrainStep
from lowlabel.training.recipe import PROVENANCE, Recipe

LR_BATCH = 256


@dataclass(frozen=True)
class TrainingPlan(RunPlan):
    """A recipe on a set of images.

    Attributes:
        recipe: The recipe.
        data: The images.
        class_list: The classes that `data` is restricted to; empty for all.
        start: Checkpoint in DINO's format to start from.
    """

    recipe: Recipe
    data: PretrainData
    class_list: tuple[str, ...] = ()
    start: Path | None = None

    @cached_property
    def architecture(self) -> str:
        """The backbone, as timm's `NAME,option=value…`."""
        return resolve_architecture(self.recipe.arch, self.recipe.options.views.global_size)

    @cached_property
    def has_batch_norm(self) -> bool:
        """Whether the networks normalise with statistics of the batch."""
        with torch.device("meta"):
            method = PRETRAIN_METHODS[self.recipe.method].build(
                self.recipe.options, backbone_maker(self.architecture, self.recipe.drop_path)
            )
        return has_batch_norm(method)

    @property
    def title(self) -> str:
        """The method and the dataset."""
        return f"{self.recipe.method} on {self.images.dataset}"

    @property
    def images(self) -> ImageSet:
        """The images to train on."""
        return self.data.images

    @property
    def left_out(self) -> Mapping[str, int]:
        """Numbers of files beside the images that were not taken, by suffix."""
        return self.data.left_out

    def build_step(self, options: RunOptions, world: World) -> PretrainStep:
        """Makes the method and its step."""
        probe = make_probe(self.data, self.views, world) if options.knn_every else None
        torch.manual_seed(self.seed)
        method = self.build_method().to(world.device).train()
        if options.compile:
            for network in (method.student, method.teacher):
                network.get_submodule("backbone").compile()
        return PretrainStep(method, self.recipe, self.schedules(), world, probe, options.knn_every)

    def build_method(self) -> PretrainMethod:
        """Makes the method with its initial weights, from torch's seed or from `start`.

        Raises:
            InputError: If the method cannot start from a DINO checkpoint.
        """
        cls = PRETRAIN_METHODS[self.recipe.method]
        make = backbone_maker(self.architecture, self.recipe.drop_path)
        method = cls.build(self.recipe.options, make)
        if self.start is not None:
            read_dino_checkpoint(self.start, require_dino(method))
        return method

    def schedules(self) -> Schedules:
        """The rates of every step."""
        o, steps, per_epoch = self.recipe.optimisation, self.steps, self.steps_per_epoch
        return Schedules(
            lr=warmup_cosine(
                o.lr * self.recipe.batch_size / LR_BATCH,
                o.min_lr,
                steps,
                round(o.warmup_epochs * per_epoch),
            ),
            weight_decay=warmup_cosine(o.weight_decay, o.weight_decay_end, steps),
            momentum=warmup_cosine(o.teacher_momentum, 1.0, steps),
            temperature=warmup_constant(
                o.warmup_teacher_temperature,
                o.teacher_temperature,
                self.recipe.epochs,
                o.warmup_teacher_temperature_epochs,
            ),
            steps_per_epoch=per_epoch,
        )

    def card(self) -> dict[str, Any]:
        """Architecture, method, recipe and the classes that the images are restricted to."""
        return {
            "architecture": self.architecture,
            "method": self.recipe.method,
            "recipe": self.recipe.as_dict(),
            "class_list": list(self.class_list),
            "pretrained_on": pretraining_set(self.images.dataset, self.class_list),
        }

    def fingerprint(self) -> dict[str, Any]:
        """Everything that a resumed run must share with its checkpoint, as plain data."""
        start = {"start": file_sha256(self.start)} if self.start else {}
        recipe = self.recipe.as_dict()
        return {
            **{name: value for name, value in recipe.items() if name not in PROVENANCE},
            **start,
            "arch": self.architecture,
            "dataset": self.data.images.dataset,
            "part": self.data.images.part,
            "manifest": CONTENT,
            "manifest_sha256": self.data.images.manifest_sha256,
            "images": len(self.data.images),
        }

    def describe(self) -> str:
        """The plan as text, for `--dry-run`.

        Raises:
            InputError: If the images do not fill a batch.
        """
        recipe, images = self.recipe, self.data.images
        if len(images) < recipe.batch_size:
            raise InputError(
                f"{len(images)} images do not fill a batch of {recipe.batch_size}",
                "Give a smaller --batch-size.",
            )
        method = self.build_method()
        backbone = parameter_count(method.backbone_for_export())
        head = parameter_count(method.teacher) - backbone
        per_epoch = f"{self.steps_per_epoch:,} of {recipe.batch_size} images"
        options = asdict(recipe.options)
        views = options.pop("views")
        lines = {
            "method": recipe.method,
            "images": f"{images.counts} ({images.dataset} {images.part})",
            "backbone": f"{self.architecture}, {backbone:,} parameters",
            "head": f"{head:,} parameters",
            "steps": f"{recipe.epochs} epochs × {per_epoch}",
            "precision": recipe.dtype,
            "seed": recipe.seed,
            "options": listed(options),
            "views": listed(views),
            "optimiser": listed(asdict(recipe.optimisation)),
        }
        return "\n".join(f"{name:<10} {value}" for name, value in lines.items())


def listed(values: dict[str, Any]) -> str:
    """Names and values in one line."""
    return ", ".join(f"{name}={value}" for name, value in values.items())
