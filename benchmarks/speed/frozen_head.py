"""Tuning of a head alone: `python -m lowlabel.benchmarks.speed.frozen_head`.

Beside it stands the usual loop, which runs the frozen backbone on every batch of every epoch; its
images are decoded before, and not augmented. Both end with the same head up to rounding.
"""

from functools import partial
from typing import Annotated

import torch
import typer

from lowlabel.benchmarks.speed.timing import markdown, median_seconds
from lowlabel.devices import describe_device, keep_freed_memory, resolve_device
from lowlabel.features import Backbone, load_backbone
from lowlabel.features.models.embedding_head import HeadShape
from lowlabel.training.finetuning import make_finetune_recipe
from lowlabel.training.finetuning.batches import ClassBalancedOrder
from lowlabel.training.finetuning.head_tuning import Labelled, start_head, tune_head
from lowlabel.training.finetuning.losses import build_loss
from lowlabel.training.finetuning.optimizer import make_optimizer
from lowlabel.training.finetuning.recipe import FinetuneRecipe

EACH = 8  # images of a class
LOSSES = ["margin", "proxy-nca", "multi-similarity"]

app = typer.Typer()


@app.command()
def main(
    model: str = "random:mobilenetv2_100",
    classes: int = 56,
    epochs: int = 2,
    loss: Annotated[list[str], typer.Option(help="Repeats.")] = LOSSES,
    repeats: int = 3,
    device: str = "auto",
) -> None:
    """Epochs of 56 classes with 8 images of 224 pixels, by MobileNetV2."""
    keep_freed_memory()
    base, target = load_backbone(model, device=device), resolve_device(device)
    labels = torch.arange(classes).repeat_interleave(EACH)
    random = torch.Generator().manual_seed(0)
    size = (len(labels), *base.transform.blank, 3)
    pixels = torch.randint(256, size, generator=random, dtype=torch.uint8)
    features = torch.cat([base.embed(part).cpu() for part in pixels.split(32)])
    rows = []
    for name in loss:
        recipe = make_finetune_recipe(model, name, frozen=True, epochs=epochs)
        shape = HeadShape(1, min(recipe.options.dimension, features.shape[1]), True, base.pooling)
        found = median_seconds(
            {
                "cached": partial(
                    tune_head, Labelled(features, labels), None, recipe, shape, target
                ),
                "usual": partial(usual_loop, base, pixels, features, labels, recipe, shape),
            },
            repeats,
        )
        rows.append({"loss": name, **found, "ratio": found["usual"] / found["cached"]})
    print(markdown(rows))
    print(f"\n{describe_device(target)}, {len(labels)} images, {epochs} epochs, seconds")


def usual_loop(
    base: Backbone,
    pixels: torch.Tensor,
    start: torch.Tensor,
    labels: torch.Tensor,
    recipe: FinetuneRecipe,
    shape: HeadShape,
) -> torch.nn.Module:
    """Tunes the head with the backbone in the loop, from the same start; returns the head."""
    order = ClassBalancedOrder(
        len(labels),
        recipe.batch_size,
        recipe.seed,
        labels=labels.numpy(),
        images_per_class=recipe.options.images_per_class,
    )
    scale = float(start.square().mean().sqrt())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        head = start_head(start / scale, shape).to(base.device)
        loss = build_loss(recipe.loss, int(labels.max()) + 1, shape.dimension).to(base.device)
        optimizer = make_optimizer(torch.nn.Identity(), head, loss, recipe.optimisation)
        for epoch in range(recipe.epochs):
            for batch in torch.from_numpy(order.epoch_order(epoch)).split(recipe.batch_size):
                embeddings = head(base.embed(pixels[batch]).clone() / scale)
                value = loss(embeddings, labels[batch].to(base.device))
                optimizer.zero_grad(set_to_none=True)
                value.backward()
                optimizer.step()
    return head


if __name__ == "__main__":
    app()
