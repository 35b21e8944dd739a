"""The plan of a fine-tuning run: a recipe on the learned classes of a train part."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch

from lowlabel.datasets import CONTENT, ImageSet
from lowlabel.errors import InputError
from lowlabel.features import Backbone
from lowlabel.features.models.base_card import base_card
from lowlabel.features.models.checkpoints.card import (
    TRAIN_FOLDER,
    TRAIN_MANIFEST,
    TUNED_HEAD,
    folder_sha256,
)
from lowlabel.features.models.embedding_head import HeadShape
from lowlabel.processes.world import World
from lowlabel.training.backbones import parameter_count
from lowlabel.training.engine.batches import BatchOrder
from lowlabel.training.engine.options import RunOptions
from lowlabel.training.engine.run_plan import RunPlan
from lowlabel.training.finetuning.batches import ClassBalancedOrder
from lowlabel.training.finetuning.losses import MetricLoss, build_loss, full_spec, needs_pairs
from lowlabel.training.finetuning.model import TunedModel, head_shape
from lowlabel.training.finetuning.optimizer import factors
from lowlabel.training.finetuning.probe import ValidationProbe
from lowlabel.training.finetuning.recipe import FinetuneRecipe
from lowlabel.training.finetuning.step import FinetuneStep
from lowlabel.training.finetuning.validation import ClassSplit
from lowlabel.training.plan import listed
from lowlabel.training.recipe import PROVENANCE


@dataclass(frozen=True)
class FinetunePlan(RunPlan):
    """A recipe on the learned classes.

    Attributes:
        recipe: The recipe, with the side of the images and the pooling that the model has.
        base: The base model.
        split: The learned and the validation classes.
        all_images: The whole train part.
        files_left_out: Numbers of files beside the images that were not taken, by suffix.
    """

    recipe: FinetuneRecipe
    base: Backbone
    split: ClassSplit
    all_images: ImageSet
    files_left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Model, loss and dataset."""
        return f"{self.base.name} with {self.recipe.loss} on {self.images.dataset}"

    @property
    def images(self) -> ImageSet:
        """Images of the learned classes."""
        return self.split.learned

    @property
    def left_out(self) -> Mapping[str, int]:
        """Numbers of files beside the images that were not taken, by suffix."""
        return self.files_left_out

    @property
    def steps_per_epoch(self) -> int:
        """Optimisation steps in an epoch."""
        return self.order().steps_per_epoch

    @property
    def head(self) -> HeadShape:
        """The form of the embedding head."""
        return head_shape(self.base, self.recipe.options)

    def order(self, rank: int = 0, ranks: int = 1, accumulate: int = 1) -> BatchOrder:
        """Class-balanced batches, or random ones with `images_per_class=0`."""
        each = self.recipe.options.images_per_class
        if not each:
            return super().order(rank, ranks, accumulate)
        labels = self.images.labels
        return ClassBalancedOrder(
            *(len(labels), self.batch_size, self.seed, rank, ranks, accumulate),
            labels=labels,
            images_per_class=each,
        )

    def build_model(self) -> TunedModel:
        """Makes the network, with a new head from torch's generator."""
        return TunedModel(self.base, self.recipe.options)

    def build_loss(self) -> MetricLoss:
        """Makes the loss, with new proxies from torch's generator.

        Raises:
            InputError: If it is not possible, or learns nothing from such batches.
        """
        classes, options = len(self.images.class_names), self.recipe.options
        loss = build_loss(self.recipe.loss, classes, self.head.dimension, options.miner)
        each = options.images_per_class
        if 1 in (each, self.batch_size) and needs_pairs(loss, classes, self.head.dimension):
            name = "images_per_class" if each == 1 else "batch_size"
            raise InputError(
                f"the loss {self.recipe.loss} compares images of one class, and {name}=1 puts no "
                "two into a batch",
                f"Give --{name.replace('_', '-')} 2 or more.",
            )
        return loss

    def build_step(self, options: RunOptions, world: World) -> FinetuneStep:
        """Makes the model, the loss and the step."""
        torch.manual_seed(self.seed)
        model = self.build_model().to(world.device).train()
        loss = self.build_loss().to(world.device)
        if options.compile:
            model.backbone.compile()
        transform, validation = self.base.transform, self.split.validation
        probe = (
            ValidationProbe(validation, transform, world, options.workers)  # type: ignore[arg-type]
            if validation
            else None
        )
        return FinetuneStep(
            model,
            loss,
            np.asarray(self.images.labels),
            self.recipe,
            factors(self.recipe.optimisation, self.steps, self.steps_per_epoch),
            self.steps_per_epoch,
            world,
            (transform.mean, transform.std),
            probe,
        )

    def fingerprint(self) -> dict[str, Any]:
        """Everything that a resumed run must share with its checkpoint, as plain data."""
        left = ("model", *PROVENANCE)  # the path may change; the hash of its weights stays
        recipe = {k: v for k, v in self.recipe.as_dict().items() if k not in left}
        return {
            "method": "finetune",
            **recipe,
            "base_weights_sha256": self.base.weights_sha256,
            "transform": str(self.base.transform),
            "dataset": self.images.dataset,
            "part": self.images.part,
            "manifest": CONTENT,
            "manifest_sha256": self.images.manifest_sha256,
            "images": len(self.images),
            TRAIN_MANIFEST: self.all_images.manifest_sha256,  # with the validation classes
        }

    def card(self) -> dict[str, Any]:
        """The base model, what was tuned with which loss, and the classes."""
        loss, miner = full_spec(self.recipe.loss, self.recipe.options.miner)
        name = self.recipe.loss.partition(",")[0]
        held_out = self.split.validation
        return {
            **base_card(self.base),
            "method": "finetune",
            "name": f"{self.base.name}+{name}{' head' * self.recipe.frozen}",
            "tuned": self._tuned(),
            "loss": loss,
            "miner": miner,
            "embedding_head": asdict(self.head),
            "recipe": self.recipe.as_dict(),
            "learned_classes": len(self.images.class_names),
            "validation_classes": list(held_out.class_names) if held_out else [],
            "validation_images": len(held_out) if held_out else 0,
            "classes_seed": self.split.seed,
            TRAIN_MANIFEST: self.all_images.manifest_sha256,
            TRAIN_FOLDER: folder_sha256(self.all_images.root),
            **self._undrawn(),
        }

    def notes(self) -> list[str]:
        """What is left out of the batches, for the user."""
        undrawn = self._undrawn()
        if not undrawn:
            return []
        each = self.recipe.options.images_per_class
        return [
            f"left out of the batches: {undrawn['undrawn_classes']} classes with fewer than {each} "
            f"images ({undrawn['undrawn_images']} images)"
        ]

    def describe(self) -> str:
        """The plan as text, for `--dry-run`.

        Raises:
            InputError: If the images do not fill a batch, or an option does not fit the model.
        """
        recipe, held_out, order = self.recipe, self.split.validation, self.order()
        model, loss = self.build_model(), self.build_loss()
        options = asdict(recipe.options)
        views = options.pop("views")
        tuned = () if recipe.frozen else model.backbone.parameters()
        trained = sum(p.numel() for p in tuned if p.requires_grad)
        spec, miner = full_spec(recipe.loss, recipe.options.miner)
        lines = {
            "model": f"{self.base.name}, {trained:,} of {parameter_count(model.backbone):,} "
            "parameters tuned",
            "head": f"{self.head}, {parameter_count(model.embedding_head):,} parameters",
            "loss": f"{spec}; miner {miner}; {parameter_count(loss):,} parameters",
            "learned": f"{self.images.counts} ({self.images.dataset} {self.images.part})",
            "validation": f"{held_out.counts}, {recipe.options.criterion} chooses the epoch"
            if held_out
            else "none: the last epoch is kept",
            "steps": f"{recipe.epochs} epochs × {order.steps_per_epoch:,} of "
            f"{recipe.batch_size} images",
            "precision": recipe.dtype,
            "seed": recipe.seed,
            "options": listed(options),
            "views": listed(views),
            "optimiser": listed(asdict(recipe.optimisation)),
        }
        if recipe.frozen:
            del lines["views"]  # features are those of the model's own crops
        return "\n".join(f"{name:<10} {value}" for name, value in lines.items())

    def _tuned(self) -> str:
        """What is tuned: "all", "adapters", a "part" of the network, or "head" alone."""
        recipe = self.recipe
        if recipe.frozen:
            return TUNED_HEAD
        if recipe.options.lora:
            return "adapters"
        never = recipe.optimisation.freeze_backbone_epochs >= recipe.epochs
        return "part" if recipe.options.freeze_blocks or never else "all"

    def _undrawn(self) -> dict[str, int]:
        order = self.order()
        if not isinstance(order, ClassBalancedOrder) or not order.left_out[0]:
            return {}
        classes, images = order.left_out
        return {"undrawn_classes": classes, "undrawn_images": images}
