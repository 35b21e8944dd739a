"""Options that several commands share, each declared once."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from lowlabel.cli import names
from lowlabel.processes.cores import decoding_threads

MULTI_SCALE = (1.0, 2**-0.5, 0.5)
DECODING_THREADS = decoding_threads()
RESULTS_FOLDER = "results in $LOWLABEL_HOME"


def _expanded(models: list[str] | None) -> list[str] | None:
    """Replaces patterns of weights files by the files."""
    if not models or not any(mark in model for model in models for mark in "*?["):
        return models
    from lowlabel.features import expand_models

    return expand_models(models)


def option(
    panel: str,
    text: str,
    *flags: str,
    default: str | bool = True,
    callback: Callable[..., Any] | None = None,
) -> Any:
    """Declares an option, as `Annotated[TYPE, …]` takes it.

    Args:
        panel: Heading in the help under which the option stands.
        text: What the option does.
        flags: Its spelling; made from the parameter's name by default.
        default: What None stands for. A default that is a value is shown anyway.
        callback: Converts the value.
    """
    return typer.Option(
        *flags, help=text, show_default=default, rich_help_panel=panel, callback=callback
    )


Models = Annotated[
    list[str] | None,
    option(
        "Model",
        "dino_vits16, timm:NAME[,option=value…], hub:REPO:ENTRY, hf:OWNER/NAME|FOLDER, "
        "hf-hub:OWNER/NAME|FOLDER, open_clip:ARCH or open_clip:ARCH/TAG, onnx:FILE.onnx, "
        "python:FILE.py:FUNCTION, "
        "PATH.pth[:ARCH[,option=value…]] (PATH may be a pattern in quotes: 'RUN/*.pth'), "
        "random:ARCH or pixels; in label budgets scratch:ARCH[,option=value…], trained on the "
        "labels alone. Repeats.",
        "--model",
        callback=_expanded,
    ),
]
Pooling = Annotated[
    str | None,
    option(
        "Model",
        "cls, mean, gem, cls+mean, or cls@4 for the last four blocks.",
        default="the model's own",
    ),
]
Resolution = Annotated[
    int | None, option("Model", "Side of the images in pixels.", default="the model's own")
]
Resize = Annotated[
    int | None,
    option(
        "Model",
        "Length of the shorter side before the centre crop, in pixels.",
        default="the model's own",
    ),
]
Interpolation = Annotated[
    str | None,
    option(
        "Model",
        "Resampling of the pixels: nearest, bilinear, bicubic or lanczos.",
        default="the model's own",
    ),
]
Framing = Annotated[
    str | None,
    option(
        "Model",
        "crop (Resize → CenterCrop), square (whole images, squeezed) or longest (whole images in "
        "their aspect ratio).",
        default="the protocol's own, else crop",
    ),
]
MultiScale = Annotated[
    bool,
    option(
        "Model",
        "Average the features of whole images at 1, 1/√2 and 1/2 of their size.",
        "--multi-scale",
    ),
]
Orientation = Annotated[
    str, option("Model", "stored (pixels as they are stored) or exif (turned by EXIF orientation).")
]
Dtype = Annotated[str, option("Model", "Data type of the network: float32, bfloat16 or float16.")]

IMAGES = (
    "NAME, NAME:DIVISION (cub:feat), folder:PATH, csv:FILE, hf:FOLDER (parquet), wds:PATTERN (tar "
    "shards) or torchvision:NAME"
)
Datasets = Annotated[list[str] | None, option("Data", f"{IMAGES}. Repeats.", "--dataset")]
Dataset = Annotated[str, option("Data", f"{IMAGES}.")]
AllowPartial = Annotated[
    bool,
    option("Data", "Allow incomplete datasets; results are marked partial.", "--allow-partial"),
]
ClassList = Annotated[
    Path | None,
    option(
        "Data",
        "File of the only classes to take of each dataset, one per line, as imagenet100.txt; or "
        f"a published list: {', '.join(names.class_lists())}.",
        default="all of them",
    ),
]
SkipBadImages = Annotated[
    bool,
    option(
        "Data",
        "Skip and count images that cannot be decoded, instead of stopping.",
        "--skip-bad-images",
    ),
]

Posts = Annotated[
    list[str] | None,
    option(
        "Protocol",
        f"Post-processing of retrieval, in order: {', '.join(names.post_processing())}; "
        "with options as in whiten:256 or k-reciprocal:20,k2=6. Few-shot takes truncate, int8 and "
        "binary. Repeats.",
        "--post",
    ),
]
TrainFeatures = Annotated[
    Path | None,
    option(
        "Protocol",
        "Embeddings (.npz, .h5 or a pickle by class) to learn from: whitening, and with --features "
        "the base or train classes.",
        default="the dataset's train part",
    ),
]

Device = Annotated[str, option("Machine", "Device to compute on: auto, cpu, cuda, cuda:1 or mps.")]
BatchSize = Annotated[int, option("Machine", "Images per forward pass.")]
Workers = Annotated[
    int, option("Machine", "Threads that decode images.", default="one per core, at least 4")
]
Engine = Annotated[
    str,
    option(
        "Machine",
        "What runs the network: torch, openvino, or auto: OpenVINO on a CPU where it is installed.",
    ),
]
LauncherSpec = Annotated[
    str | None,
    option(
        "Machine",
        "Run as jobs: local[,jobs=2], or slurm[,partition=…,gpus=…,nodes=…,hours=…,cpus=…,"
        "memory_gb=…] (needs submitit).",
        "--launcher",
        default="in this process",
    ),
]

Output = Annotated[
    Path | None,
    option("Results", "Folder of records and leaderboards.", default=RESULTS_FOLDER),
]
DryRun = Annotated[bool, option("Results", "Print the plan and stop.", "--dry-run")]
