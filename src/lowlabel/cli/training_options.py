"""Options that `lowlabel pretrain` and `lowlabel finetune` have in common."""

from pathlib import Path
from typing import Annotated

from lowlabel.cli.options import option
from lowlabel.processes.cores import loader_processes

LOADER_PROCESSES = loader_processes()

LoaderProcesses = Annotated[
    int,
    option(
        "Machine",
        "Processes that load images; 0 loads them in the main process.",
        default="one per core, 2 to 16",
    ),
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
