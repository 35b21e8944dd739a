from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lowlabel.training.finetuning import FinetunePlan, make_finetune_plan, make_finetune_recipe

MODEL = "random:vit_tiny_patch16_224,img_size=16,patch_size=8,embed_dim=32,depth=2,num_heads=2"


@pytest.fixture(scope="session")
def birds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of `train` with 8 classes and `test` with 4 others, 6 noisy images of each."""
    root = tmp_path_factory.mktemp("birds")
    random = np.random.default_rng(0)
    for number in range(12):
        folder = root / ("train" if number < 8 else "test") / f"c{number:02}"
        folder.mkdir(parents=True)
        pattern = random.normal(128, 40, (4, 4, 3)).repeat(5, 0).repeat(5, 1)
        for index in range(6):
            pixels = np.clip(pattern + random.normal(0, 25, (20, 20, 3)), 0, 255)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{index}.png")
    return root


@pytest.fixture(scope="session")
def make_plan(birds: Path) -> Callable[..., FinetunePlan]:
    """Makes plans of a tiny network: two epochs of four steps, unless overridden."""

    def make(*settings: str, loss: str = "margin", model: str = MODEL, **fields: Any) -> Any:
        defaults = {"epochs": 2, "batch_size": 8, "dimension": 16, "validation": 0.25}
        recipe = make_finetune_recipe(
            model, loss, None, ["lr=1e-3", *settings], **{**defaults, **fields}
        )
        return make_finetune_plan(f"folder:{birds}", recipe)

    return make
