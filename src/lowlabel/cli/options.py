"""Options that several commands share, each declared once."""

from pathlib import Path
from typing import Annotated

import typer

MULTI_SCALE = (1.0, 2**-0.5, 0.5)

Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        help="dino_vits16, timm:NAME[,option=value…], hub:REPO:ENTRY, "
        "PATH.pth[:ARCH[,option=value…]], random:ARCH or pixels. Repeats.",
        rich_help_panel="Model",
    ),
]
Pooling = Annotated[
    str | None,
    typer.Option(
        help="cls, mean, gem, cls+mean, or cls@4 for the last four blocks.",
        show_default="the model's own",
        rich_help_panel="Model",
    ),
]
Resolution = Annotated[
    int | None,
    typer.Option(
        help="Side of the images in pixels.",
        show_default="the model's own",
        rich_help_panel="Model",
    ),
]
Framing = Annotated[
    str | None,
    typer.Option(
        help="crop (Resize → CenterCrop), square (whole images, squeezed) or longest (whole "
        "images in their aspect ratio).",
        show_default="the protocol's own, else crop",
        rich_help_panel="Model",
    ),
]
MultiScale = Annotated[
    bool,
    typer.Option(
        "--multi-scale",
        help="Average the features of whole images at 1, 1/√2 and 1/2 of their size.",
        rich_help_panel="Model",
    ),
]
Dtype = Annotated[
    str,
    typer.Option(
        help="Data type of the network: float32, bfloat16 or float16.", rich_help_panel="Model"
    ),
]

Datasets = Annotated[
    list[str] | None,
    typer.Option(
        "--dataset",
        help="NAME, NAME:DIVISION (cub:feat) or folder:PATH. Repeats.",
        rich_help_panel="Data",
    ),
]
AllowPartial = Annotated[
    bool,
    typer.Option(
        "--allow-partial",
        help="Allow incomplete datasets; results are marked partial.",
        rich_help_panel="Data",
    ),
]
SkipBadImages = Annotated[
    bool,
    typer.Option(
        "--skip-bad-images",
        help="Skip and count images that cannot be decoded, instead of stopping.",
        rich_help_panel="Data",
    ),
]

Posts = Annotated[
    list[str] | None,
    typer.Option(
        "--post",
        help="Post-processing of retrieval, in order: whiten:256, aqe:10, dba:10, "
        "k-reciprocal:20, diffusion:50. Repeats.",
        rich_help_panel="Protocol",
    ),
]
TrainFeatures = Annotated[
    Path | None,
    typer.Option(
        help="Embeddings (.npz or .h5) to learn whitening from.",
        show_default="the dataset's train part",
        rich_help_panel="Protocol",
    ),
]

Device = Annotated[
    str,
    typer.Option(
        help="Device to compute on: auto, cpu, cuda or cuda:1.", rich_help_panel="Machine"
    ),
]
BatchSize = Annotated[int, typer.Option(help="Images per forward pass.", rich_help_panel="Machine")]
Workers = Annotated[
    int, typer.Option(help="Threads that decode images.", rich_help_panel="Machine")
]

Output = Annotated[
    Path | None,
    typer.Option(
        help="Folder of records and leaderboards.",
        show_default="results in $LOWLABEL_HOME",
        rich_help_panel="Results",
    ),
]
