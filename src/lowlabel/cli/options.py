"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        help="dino_vits16, timm:NAME[,option=value…], hub:REPO:ENTRY, "
        "PATH.pth[:ARCH[,option=value…]], random:ARCH or pixels. Repeats.",
        rich_help_panel="What",
    ),
]
Datasets = Annotated[
    list[str] | None,
    typer.Option(
        "--dataset",
        help="NAME, NAME:DIVISION (cub:feat) or folder:PATH. Repeats.",
        rich_help_panel="What",
    ),
]
Posts = Annotated[
    list[str] | None,
    typer.Option(
        "--post",
        help="Retrieval's post-processing, in order: whiten:256, aqe:10, dba:10, k-reciprocal:20, "
        "diffusion:50. Repeats.",
        rich_help_panel="Protocol",
    ),
]
TrainFeatures = Annotated[
    Path | None,
    typer.Option(
        help="Embeddings (.npz or .h5) that whitening learns from [default: the data set's train "
        "part].",
        rich_help_panel="Protocol",
    ),
]
Pooling = Annotated[
    str | None,
    typer.Option(
        help="cls, mean, gem, cls+mean, or cls@4 for the last four blocks; the model's own by "
        "default.",
        rich_help_panel="Model",
    ),
]
Resolution = Annotated[
    int | None,
    typer.Option(
        help="Side of the images in pixels; the model's own by default.", rich_help_panel="Model"
    ),
]
Framing = Annotated[
    str | None,
    typer.Option(
        help="crop (Resize → CenterCrop), square (whole images, squeezed) or longest (whole "
        "images in their aspect ratio); the protocol's own by default.",
        rich_help_panel="Model",
    ),
]
MultiScale = Annotated[
    bool,
    typer.Option(
        "--multi-scale",
        help="Average whole images' features at 1, 1/√2 and 1/2 of their size.",
        rich_help_panel="Model",
    ),
]
MULTI_SCALE = (1.0, 2**-0.5, 0.5)
Dtype = Annotated[str, typer.Option(help="float32, bfloat16 or float16.", rich_help_panel="Model")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:1.", rich_help_panel="Machine")]
BatchSize = Annotated[
    int, typer.Option(help="Images in one forward pass.", rich_help_panel="Machine")
]
Workers = Annotated[
    int, typer.Option(help="Threads that decode images.", rich_help_panel="Machine")
]
SkipBadImages = Annotated[
    bool,
    typer.Option(
        "--skip-bad-images",
        help="Leave images out that cannot be decoded, and count them; the default stops.",
        rich_help_panel="What",
    ),
]
AllowPartial = Annotated[
    bool,
    typer.Option(
        "--allow-partial",
        help="Accept data sets whose counts are not the full set's; results say so.",
        rich_help_panel="What",
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        help="Folder of records and leaderboards [default: results in $LOWLABEL_HOME].",
        rich_help_panel="Results",
    ),
]
