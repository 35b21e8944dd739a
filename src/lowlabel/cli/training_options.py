"""Options that `lowlabel pretrain` and `lowlabel finetune` have in common."""

from pathlib import Path
from typing import Annotated

from lowlabel.cli.options import option

LoaderProcesses = Annotated[
    int, option("Machine", "Processes that load images; 0 loads them in the main process.")
]
Augment = Annotated[
    str, option("Machine", "Where to make views: cpu, device, or auto (device if it is a GPU).")
]
Compile = Annotated[bool, option("Machine", "Compile the backbone.", "--compile")]
Precision = Annotated[
    str | None,
    option(
        "Recipe",
        "float32, or bfloat16 or float16 for mixed precision.",
        default="the preset's, else float32",
    ),
]
RunFolder = Annotated[
    Path | None,
    option("Results", "Folder of checkpoint, metrics and weights; the same command resumes in it."),
]
