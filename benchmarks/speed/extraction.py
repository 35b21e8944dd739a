"""Extraction and the bare forward pass: `python -m lowlabel.benchmarks.speed.extraction`.

Times the whole path (decoding, resizing, forward, HDF5) on 500×375 JPEG files by each engine, and
the bare forward passes in memory (of torch on normalised tensors, of OpenVINO on pixels, which it
normalises in no time), in turn in one process. Beside them a plain loop as users write it: timm's
transform and network in float32 over torchvision's `ImageFolder` and torch's `DataLoader`.
"""

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from PIL import Image

from lowlabel.benchmarks.speed.timing import markdown, median_seconds
from lowlabel.datasets import ImageSet, open_dataset
from lowlabel.devices import describe_device, keep_freed_memory, resolve_device
from lowlabel.features import (
    Backbone,
    ExtractionOptions,
    FeatureKey,
    extract_features,
    feature_path,
    load_backbone,
)
from lowlabel.features.backbone import is_convolutional
from lowlabel.features.engines import Engine, with_engine

MODELS = ("random:vit_small_patch16_224", "random:resnet50", "random:mobilenetv2_100")


def main(
    images: int = 256,
    repeats: int = 3,
    batch_size: int = 32,
    device: str = "auto",
    dtype: str = "float32",
    model: Annotated[list[str] | None, typer.Option()] = None,
) -> None:
    """Prints images per second, and ratios to the fastest bare forward pass and a plain loop."""
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as folder:
        write_photographs(Path(folder) / "class", images)
        part = open_dataset(f"folder:{folder}").load("all")
        rows = [
            row
            for name in model or MODELS
            for row in _measure(
                load_backbone(name, device=device, dtype=dtype), part, repeats, batch_size
            )
        ]
    print(markdown(rows))
    print(f"\n{describe_device(resolve_device(device))}, {dtype}")


def _measure(
    backbone: Backbone, part: ImageSet, repeats: int, batch_size: int
) -> Iterator[dict[str, object]]:
    side = backbone.transform.side
    pixels = torch.randint(256, (batch_size, side, side, 3), dtype=torch.uint8)
    batch = backbone.network_input(pixels)
    if is_convolutional(backbone.encoder):
        batch = batch.contiguous(memory_format=torch.channels_last)
    path = feature_path(FeatureKey.of(backbone, part))
    on_cpu = backbone.device.type == "cpu" and find_spec("openvino")
    engines: list[Engine] = ["torch", "openvino"] if on_cpu else ["torch"]
    backbones = {engine: with_engine(backbone, engine, len(part)) for engine in engines}

    @torch.inference_mode()
    def bare(engine: Engine) -> None:
        for _ in range(len(part) // batch_size):
            if forward := backbones[engine].forward:
                forward(pixels)
            else:
                backbone.encoder.head(batch)
        if backbone.device.type == "cuda":
            torch.cuda.synchronize()

    def whole(engine: Engine) -> None:
        path.unlink(missing_ok=True)
        extract_features(backbones[engine], part, ExtractionOptions(batch_size, engine=engine))

    jobs: dict[str, Callable[[], None]]
    jobs = {f"bare {engine}": partial(bare, engine) for engine in engines}
    jobs |= {f"whole {engine}": partial(whole, engine) for engine in engines}
    jobs["plain loop"] = _plain_loop(backbone, part.root, batch_size)
    seconds = median_seconds(jobs, repeats)
    path.unlink(missing_ok=True)
    fastest = min(seconds[f"bare {engine}"] for engine in engines)
    for engine in engines:
        yield {
            "model": backbone.name,
            "engine": engine,
            "bare forward, img/s": len(part) / seconds[f"bare {engine}"],
            "whole path, img/s": len(part) / seconds[f"whole {engine}"],
            "of the fastest forward": fastest / seconds[f"whole {engine}"],
            "times the plain loop": seconds["plain loop"] / seconds[f"whole {engine}"],
        }


def _plain_loop(backbone: Backbone, folder: Path, batch_size: int) -> Callable[[], None]:
    """A float32 network of timm over a `DataLoader` with a process for each thread of torch."""
    import timm
    from torchvision.datasets import ImageFolder

    name = backbone.name.removeprefix("random:")
    network = timm.create_model(name, num_classes=0).eval().to(backbone.device)
    config = timm.data.resolve_model_data_config(network)
    images = ImageFolder(str(folder), timm.data.create_transform(**config, is_training=False))

    @torch.inference_mode()
    def job() -> None:
        workers = torch.get_num_threads()
        loader = torch.utils.data.DataLoader(images, batch_size, num_workers=workers)
        torch.cat([network(batch.to(backbone.device)).cpu() for batch, _ in loader])

    return job


def write_photographs(folder: Path, count: int) -> None:
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
