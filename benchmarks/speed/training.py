"""The training step and the views: `python -m lowlabel.benchmarks.speed.training [step|views]`.

`step` times a DINO step of a small ViT, the limit (the same backbones' bare forward and backward
passes), and lightly's head and loss. `views` times multi-crop views, torchvision's transforms on
Pillow images, and lightly's. The jobs of a group run in turn in one process.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from PIL import Image
from torchvision.transforms import v2

from lowlabel.benchmarks.speed.peers import installed_peers
from lowlabel.benchmarks.speed.timing import markdown, median_seconds
from lowlabel.datasets import ImageSet, LabelledPath
from lowlabel.devices import describe_device, keep_freed_memory, resolve_device
from lowlabel.processes.world import World
from lowlabel.training import RunOptions, Trainer, TrainingPlan, make_recipe
from lowlabel.training.backbones import backbone_maker
from lowlabel.training.listing import PretrainData
from lowlabel.training.methods.dino_model import MultiCropModel
from lowlabel.training.views.dataset import Sample
from lowlabel.training.views.multicrop import MultiCrop
from lowlabel.training.views.recipe import GLOBAL_CROPS, ViewRecipe

ARCH = "timm:vit_tiny_patch16_224,patch_size=4,embed_dim=192,depth=6,num_heads=3"
PROTOTYPES = [4_096, 65_536]
LIGHTLY = {"lightly": "lightly"}
Job = Callable[[], object]

app = typer.Typer()


@app.command()
def step(
    batch_size: int = 64,
    repeats: int = 3,
    prototypes: Annotated[list[int], typer.Option(help="Repeats.")] = PROTOTYPES,
    device: str = "auto",
) -> None:
    """A step at width 192, depth 6, patch 4, 2×32 + 8×16 pixels."""
    keep_freed_memory()
    resolved = resolve_device(device)
    with_lightly = bool(installed_peers(LIGHTLY))
    rows = []
    for k in prototypes:
        jobs = _step_jobs(k, batch_size, resolved, with_lightly)
        seconds = median_seconds(jobs, repeats)
        rows += [
            {
                "K": k,
                "what": name,
                "images/s": batch_size / taken,
                "of the bare": seconds["bare backbone"] / taken,
            }
            for name, taken in seconds.items()
        ]
    print(markdown(rows))
    print(f"\n{describe_device(resolved)}, batch {batch_size}")


@app.command()
def views(images: int = 8, repeats: int = 3) -> None:
    """Two views of 224 and eight of 96 pixels from images of 500×375."""
    recipe = ViewRecipe()
    pictures = [_photograph(number) for number in range(images)]
    ours, theirs = MultiCrop(recipe), torchvision_views(recipe)
    jobs: dict[str, Job] = {
        "lowlabel": lambda: [ours(picture, (0, n)) for n, picture in enumerate(pictures)],
        "torchvision": lambda: [[t(picture) for t in theirs] for picture in pictures],
    }
    if installed_peers(LIGHTLY):
        from lightly.transforms.dino_transform import DINOTransform

        lightly = DINOTransform(n_local_views=recipe.local_crops)
        jobs["lightly"] = lambda: [lightly(picture) for picture in pictures]
    torch.set_num_threads(1)
    seconds = median_seconds(jobs, repeats)
    rows = [
        {"what": name, "images/s": images / taken, "of torchvision": seconds["torchvision"] / taken}
        for name, taken in seconds.items()
    ]
    print(markdown(rows))


def torchvision_views(recipe: ViewRecipe) -> list[v2.Compose]:
    """The same views by torchvision's transforms on Pillow images."""
    jitter = v2.ColorJitter(recipe.brightness, recipe.contrast, recipe.saturation, recipe.hue)
    blur = v2.Lambda(_blur)
    composed = []
    for number, size in enumerate(recipe.sizes):
        is_local = number >= GLOBAL_CROPS
        scale = recipe.local_scale if is_local else recipe.global_scale
        chance = recipe.blur_local if is_local else (recipe.blur_first, recipe.blur_second)[number]
        last = [v2.RandomSolarize(128, recipe.solarize_second)] if number == 1 else []
        crop = v2.RandomResizedCrop(size, scale, interpolation=v2.InterpolationMode.BICUBIC)
        steps = [
            crop,
            v2.RandomHorizontalFlip(recipe.flip),
            v2.RandomApply([jitter], recipe.jitter),
            v2.RandomGrayscale(recipe.grayscale),
            v2.RandomApply([blur], chance),
            *last,
            v2.PILToTensor(),
        ]
        composed.append(v2.Compose(steps))
    return composed


def _blur(image: Image.Image) -> Image.Image:
    from PIL import ImageFilter

    return image.filter(ImageFilter.GaussianBlur(np.random.default_rng().uniform(0.1, 2.0)))


def _step_jobs(
    prototypes: int, batch_size: int, device: torch.device, with_lightly: bool
) -> dict[str, Job]:
    settings = ["global_size=32", "local_size=16", f"prototypes={prototypes}", "drop_path=0.0"]
    recipe = make_recipe("dino", None, settings, arch=ARCH, batch_size=batch_size)
    listing = [LabelledPath(f"{n}.png", "none") for n in range(batch_size)]
    images = ImageSet.from_listing("noise", "all", Path(), listing)
    plan = TrainingPlan(recipe, PretrainData(images))
    with tempfile.TemporaryDirectory() as folder:
        world = World(0, 1, device)
        trainer = Trainer(plan, RunOptions(Path(folder), workers=0), world)
    sizes = recipe.options.views.sizes
    noise = [torch.randint(0, 256, (batch_size, 3, s, s), dtype=torch.uint8) for s in sizes]
    sample = Sample(noise, torch.zeros(batch_size, len(sizes), 8, dtype=torch.int64), [])
    floats = [view.to(device).float() / 128 - 1 for view in noise]
    make = backbone_maker(plan.architecture, 0.0)
    jobs: dict[str, Job] = {
        "bare backbone": _bare(make(True).to(device), make(False).to(device), floats),
        "lowlabel": lambda: trainer.train_step(0, [sample]),
    }
    if with_lightly:
        backbones = (make(True).to(device), make(False).to(device))
        jobs["lightly's head and loss"] = _lightly(backbones, prototypes, floats)
    return jobs


def _bare(student: torch.nn.Module, teacher: torch.nn.Module, views: list[torch.Tensor]) -> Job:
    """Forward passes of both backbones and the student's backward pass, without heads."""
    models = [MultiCropModel(backbone, torch.nn.Identity()) for backbone in (student, teacher)]

    def job() -> None:
        with torch.no_grad():
            models[1](views[:GLOBAL_CROPS])
        models[0].zero_grad()
        models[0](views)[0].square().mean().backward()

    return job


def _lightly(
    backbones: tuple[torch.nn.Module, ...], prototypes: int, views: list[torch.Tensor]
) -> Job:
    """Lightly's head, loss and moving average, with one backbone pass per resolution."""
    from lightly.loss import DINOLoss
    from lightly.models.modules import DINOProjectionHead
    from lightly.models.utils import update_momentum

    device = views[0].device
    student, teacher = (
        MultiCropModel(
            backbone,
            DINOProjectionHead(backbone.num_features, 2048, 256, prototypes, batch_norm=False),
        ).to(device)
        for backbone in backbones
    )
    criterion = DINOLoss(output_dim=prototypes).to(device)
    optimizer = torch.optim.AdamW(student.parameters(), lr=5e-4, fused=True)
    batch = len(views[0])

    def job() -> None:
        with torch.no_grad():
            targets = teacher(views[:GLOBAL_CROPS])[0].split(batch)
        loss = criterion(list(targets), list(student(views)[0].split(batch)), epoch=1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        update_momentum(student, teacher, m=0.996)

    return job


def _photograph(seed: int) -> Image.Image:
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (24, 32, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((500, 375), Image.Resampling.BICUBIC)


if __name__ == "__main__":
    app()
