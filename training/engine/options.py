"""How a run is executed: options that do not change the resulting weights."""

from dataclasses import dataclass, field
from pathlib import Path

from lowlabel.errors import InputError, UnknownNameError
from lowlabel.processes.cores import loader_processes

AUGMENTS = ("auto", "cpu", "device")


@dataclass(frozen=True)
class RunOptions:
    """How a run is executed. No option changes the weights by more than rounding.

    Attributes:
        output: Folder for the checkpoint, the metrics and the exported backbone.
        workers: Processes that load images, one per core by default, 2 to 16; 0 loads them in the
            main process.
        accumulate: Number of parts that each process splits its share of a batch into, to save
            memory. BatchNorm statistics are then updated once per part.
        augment: Where views are made: "cpu" (in the workers), "device", or "auto", which is the
            device if it is a GPU. Both make the same views up to rounding.
        compile: Whether to compile the backbones with torch.compile.
        knn_every: Epochs between k-NN scores; 0 for none.
        log_every: Steps between lines of metrics.
        dino_format: Whether to also export a checkpoint in the format of DINO's reference code.
        save_every: Epochs between exports that are kept in `checkpoints/`, with the untrained
            network and the last epoch; 0 for none.
        checkpoint_minutes: Longest time between checkpoints; every epoch ends with one.
    """

    output: Path
    workers: int = field(default_factory=loader_processes)
    accumulate: int = 1
    augment: str = "auto"
    compile: bool = False
    knn_every: int = 0
    log_every: int = 10
    dino_format: bool = False
    save_every: int = 0
    checkpoint_minutes: float = 10.0

    def __post_init__(self) -> None:
        for name in ("knn_every", "save_every"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} must be at least 0, not {getattr(self, name)}")
        if self.augment not in AUGMENTS:
            raise UnknownNameError("value of augment", self.augment, AUGMENTS)
        for name, least in (("workers", 0), ("accumulate", 1)):
            if getattr(self, name) < least:
                raise InputError(f"{name} must be at least {least}, not {getattr(self, name)}")
