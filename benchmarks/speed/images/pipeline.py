"""From JPEG files to normalised batches, beside torchvision's transforms on Pillow images.

OMP_NUM_THREADS=1 python -m lowlabel.benchmarks.speed.images.pipeline
"""

import tempfile
from pathlib import Path

import numpy as np
import torch
import typer
from PIL import Image
from torchvision import transforms

from lowlabel.benchmarks.speed.extraction import write_photographs
from lowlabel.benchmarks.speed.timing import markdown, median_seconds
from lowlabel.devices import keep_freed_memory
from lowlabel.features.transforms import ImageTransform


def main(images: int = 128, repeats: int = 7) -> None:
    """Prints images per second, Resize(256) → CenterCrop(224) → normalise, and their ratio."""
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as folder:
        write_photographs(Path(folder) / "class", images)
        files = sorted(Path(folder).rglob("*.jpg"))
        jobs = {"lowlabel": lambda: _lowlabel(files), "torchvision": lambda: _torchvision(files)}
        seconds = median_seconds(jobs, repeats)
    rows = [
        {
            "pipeline": name,
            "images/s": images / spent,
            "of torchvision": seconds["torchvision"] / spent,
        }
        for name, spent in seconds.items()
    ]
    print(markdown(rows))
    print(f"\n{torch.get_num_threads()} threads")


def _lowlabel(files: list[Path]) -> torch.Tensor:
    transform = ImageTransform()
    pixels = torch.from_numpy(np.stack([transform.read(file) for file in files]))
    return transform.normalise(pixels, torch.float32).contiguous()


def _torchvision(files: list[Path]) -> torch.Tensor:
    default = ImageTransform()
    transform = transforms.Compose(
        [
            transforms.Resize(256, transforms.InterpolationMode.BICUBIC),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize(default.mean, default.std),
        ]
    )
    return torch.stack([transform(Image.open(file).convert("RGB")) for file in files])


if __name__ == "__main__":
    typer.run(main)
