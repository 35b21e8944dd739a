from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Networks this small are slower on more."""
    torch.set_num_threads(1)


def write_stripes(folder: Path, count: int, angle: int, random: np.random.Generator) -> None:
    """Noisy stripes of one angle and colour: a class that can be seen."""
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
