"""The fine-tuning step: `python -m lowlabel.benchmarks.speed.finetuning`.

Times a whole step, from uint8 views to updated weights, beside a plain loop of
pytorch-metric-learning with the same network, loss, miner and optimiser, and the limit, the bare
forward and backward pass of the network. The jobs run in turn in one process.
"""

import tempfile
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Annotated

import torch
import typer

from lowlabel.benchmarks.speed.timing import markdown, median_seconds
from lowlabel.datasets import ImageSet, LabelledPath
from lowlabel.devices import describe_device, keep_freed_memory, resolve_device
from lowlabel.features import load_backbone
from lowlabel.features.transforms import IMAGENET_MEAN, IMAGENET_STD
from lowlabel.processes.world import World
from lowlabel.training import RunOptions, Trainer
from lowlabel.training.finetuning import FinetunePlan, make_finetune_recipe
from lowlabel.training.finetuning.losses import build_loss
from lowlabel.training.finetuning.optimizer import make_optimizer
from lowlabel.training.finetuning.step import FinetuneStep
from lowlabel.training.finetuning.validation import ClassSplit
from lowlabel.training.views.dataset import Sample

MODEL = "random:vit_small_patch16_224"
LOSSES = ["margin", "proxy-nca", "multi-similarity"]
Job = Callable[[], object]


def main(
    model: str = MODEL,
    batch_size: int = 112,
    classes: int = 100,
    loss: Annotated[list[str], typer.Option(help="Repeats.")] = LOSSES,
    repeats: int = 3,
    device: str = "auto",
) -> None:
    """A step with two images per class and a 128-d head."""
    keep_freed_memory()
    resolved = resolve_device(device)
    rows = []
    for name in loss:
        seconds = median_seconds(_jobs(model, name, batch_size, classes, resolved), repeats)
        rows += [
            {
                "loss": name,
                "what": what,
                "images/s": batch_size / taken,
                "of the plain loop": seconds["plain loop"] / taken,
            }
            for what, taken in seconds.items()
        ]
    print(markdown(rows))
    print(f"\n{describe_device(resolved)}, {model}, batch {batch_size}, {classes} classes")


def _jobs(
    model: str, loss: str, batch_size: int, classes: int, device: torch.device
) -> dict[str, Job]:
    plan = _plan(model, loss, batch_size, classes)
    with tempfile.TemporaryDirectory() as folder:
        step = Trainer(plan, RunOptions(Path(folder), workers=0), World(0, 1, device)).train_step
    assert isinstance(step, FinetuneStep)
    side = plan.views.global_size
    views = torch.randint(0, 256, (batch_size, 3, side, side), dtype=torch.uint8)
    rows = tuple(range(batch_size))
    sample = Sample([views], torch.zeros(batch_size, 1, 8, dtype=torch.int64), [], rows)
    return {
        "bare network": _bare(deepcopy(step.model), step.normalise(views)),
        "plain loop": _plain(plan, step, views, device),
        "lowlabel": lambda: step(0, [sample]),
    }


def _plan(model: str, loss: str, batch_size: int, classes: int) -> FinetunePlan:
    listing = [LabelledPath(f"{n}.png", f"c{n // 2:04}") for n in range(2 * classes)]
    images = ImageSet.from_listing("noise", "train", Path(), listing)
    base = load_backbone(model, device="cpu")
    recipe = make_finetune_recipe(model, loss, batch_size=batch_size)
    recipe = recipe.for_base(base.transform.side, base.pooling)
    return FinetunePlan(recipe, base, ClassSplit(images, None, 0), images)


def _bare(network: torch.nn.Module, inputs: torch.Tensor) -> Job:
    def job() -> None:
        network.zero_grad()
        network(inputs).square().mean().backward()

    return job


def _plain(
    plan: FinetunePlan, step: FinetuneStep, views: torch.Tensor, device: torch.device
) -> Job:
    """The loop of the library's examples: embed, mine, loss, backward, step."""
    network = deepcopy(step.model)
    made = build_loss(plan.recipe.loss, len(plan.images.class_names), plan.head.dimension)
    criterion, miner = made.loss.to(device), made.miner
    optimizer = make_optimizer(
        network.backbone, network.embedding_head, criterion, plan.recipe.optimisation
    )
    labels = torch.arange(len(views), device=device) // 2
    mean, std = (
        torch.tensor(v, device=device).view(3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD)
    )

    def job() -> None:
        optimizer.zero_grad()
        embeddings = network((views.to(device).float() / 255 - mean) / std)
        if miner is None:
            loss = criterion(embeddings, labels)
        else:
            loss = criterion(embeddings, labels, miner(embeddings, labels))
        loss.backward()
        optimizer.step()

    return job


if __name__ == "__main__":
    typer.run(main)
