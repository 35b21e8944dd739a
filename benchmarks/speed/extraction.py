"""Extraction and the bare forward pass: `python -m lowlabel.benchmarks.speed.extraction`.

Times the whole path (decoding, resizing, forward, HDF5) on 500×375 JPEG files, and the same model's
forward pass on normalised tensors in memory, in turn in one process.
"""

import tempfile
from pathlib import Path

import numpy as np
import torch
import typer
from PIL import Image

from lowlabel.benchmarks.speed.timing import markdown, median_seconds
from lowlabel.datasets import ImageSet, open_dataset
from lowlabel.devices import describe_device, keep_freed_memory, resolve_device
from lowlabel.features import (
    ExtractionOptions,
    FeatureKey,
    extract_features,
    feature_path,
    load_backbone,
)

MODELS = ("random:vit_small_patch16_224", "random:mobilenetv2_100")


def main(images: int = 256, repeats: int = 3, batch_size: int = 32, device: str = "auto") -> None:
    """Prints the images per second of both, and their ratio."""
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as folder:
        _write_photographs(Path(folder) / "class", images)
        part = open_dataset(f"folder:{folder}").load("all")
        rows = [_measure(model, part, repeats, batch_size, device) for model in MODELS]
    print(markdown(rows))
    print(f"\n{describe_device(resolve_device(device))}")


def _measure(
    model: str, part: ImageSet, repeats: int, batch_size: int, device: str
) -> dict[str, object]:
    backbone = load_backbone(model, device=device)
    side = backbone.transform.side
    batch = torch.randn(batch_size, 3, side, side, device=backbone.device)
    if "mobilenet" in model:
        batch = batch.to(memory_format=torch.channels_last)
    path = feature_path(FeatureKey.of(backbone, part))
    options = ExtractionOptions(batch_size)

    @torch.inference_mode()
    def bare() -> None:
        for _ in range(len(part) // batch_size):
            backbone.encoder.head(batch)
        if backbone.device.type == "cuda":
            torch.cuda.synchronize()

    def whole() -> None:
        path.unlink(missing_ok=True)
        extract_features(backbone, part, options)

    seconds = median_seconds({"bare": bare, "whole": whole}, repeats)
    path.unlink(missing_ok=True)
    return {
        "model": backbone.name,
        "bare forward, img/s": len(part) / seconds["bare"],
        "whole path, img/s": len(part) / seconds["whole"],
        "ratio": seconds["bare"] / seconds["whole"],
    }


def _write_photographs(folder: Path, count: int) -> None:
    """Writes JPEG files with the detail and size of photographs, about 60 kB each."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    for number in range(count):
        coarse = random.integers(0, 256, (24, 32, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize((500, 375), Image.Resampling.BICUBIC)
        noise = random.normal(0, 12, (375, 500, 3))
        pixels = np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:05d}.jpg", quality=85)


if __name__ == "__main__":
    typer.run(main)
