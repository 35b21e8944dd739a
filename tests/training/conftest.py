from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lowlabel.training import Recipe, TrainingPlan, make_plan, make_recipe


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """More threads would slow networks this small down."""
    torch.set_num_threads(1)


def write_stripes(folder: Path, count: int, angle: int, random: np.random.Generator) -> None:
    """Noisy stripes of one angle and colour: a class that a network can tell apart."""
    folder.mkdir(parents=True)
    rows, columns = np.mgrid[:24, :28]
    colour = np.array([60 * np.cos(angle), 60 * np.sin(angle), 20 * angle - 40])
    for number in range(count):
        wave = np.sin((rows * np.sin(angle) + columns * np.cos(angle)) + random.uniform(0, 6))
        noise = random.normal(0, 15, (24, 28, 3))
        pixels = 128 + 60 * wave[..., None] + colour + noise
        image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
        image.save(folder / f"{number:03d}.png")


@pytest.fixture(scope="session")
def stripes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of `pretext/` (flat), `train/` and `val/` with 4 classes of stripes."""
    root = tmp_path_factory.mktemp("stripes")
    random = np.random.default_rng(0)
    write_stripes(root / "pretext", 8, 0, random)
    for angle in range(4):
        write_stripes(root / "pretext" / "deeper" / str(angle), 6, angle, random)
        write_stripes(root / "train" / f"c{angle}", 4, angle, random)
        write_stripes(root / "val" / f"c{angle}", 3, angle, random)
    return root


SETTINGS = (
    "global_size=16", "local_size=8", "local_crops=2", "prototypes=64", "hidden=32",
    "bottleneck=16", "warmup_epochs=1", "lr=1e-2", "teacher_momentum=0.9",
)  # fmt: skip
ARCH = "timm:vit_tiny_patch16_224,patch_size=8,embed_dim=32,depth=2,num_heads=2"


@pytest.fixture(scope="session")
def tiny_recipe() -> Callable[..., Recipe]:
    """Makes recipes of a tiny network: two epochs with batches of 8, unless overridden."""

    def make(*settings: str, method: str = "dino", **fields: Any) -> Recipe:
        defaults = {"arch": ARCH, "epochs": 2, "batch_size": 8}
        return make_recipe(method, None, [*SETTINGS, *settings], **{**defaults, **fields})

    return make


@pytest.fixture
def plan(stripes: Path, tiny_recipe: Callable[..., Recipe]) -> TrainingPlan:
    """Two epochs of four steps on the 32 `pretext` images."""
    return make_plan(f"folder:{stripes}", tiny_recipe())
