"""The hyper-parameters of optimisation, with DINO's defaults."""

from dataclasses import dataclass

from lowlabel.errors import InputError, UnknownNameError

OPTIMIZERS = ("adamw", "sgd")


@dataclass(frozen=True)
class Optimisation:
    """How weights move. Epochs may be fractions where they count steps.

    Attributes:
        optimizer: "adamw", or "sgd" with momentum 0.9.
        lr: Peak learning rate for 256 images; it scales with the global batch.
        min_lr: Where its cosine ends; not scaled.
        warmup_epochs: Epochs of linear warm-up from 0.
        weight_decay: At the start; not for biases and one-dimensional parameters.
        weight_decay_end: At the end of its cosine.
        teacher_momentum: Of the teacher's moving average at the start; its cosine ends at 1.
        clip: Largest gradient norm of each parameter tensor; 0 for none.
        freeze_last_layer: Epochs in which the head's last layer does not move.
        teacher_temperature: τ_t after its warm-up.
        warmup_teacher_temperature: τ_t in the first epoch.
        warmup_teacher_temperature_epochs: Epochs of linear change between the two.
    """

    optimizer: str = "adamw"
    lr: float = 5e-4
    min_lr: float = 1e-6
    warmup_epochs: float = 10.0
    weight_decay: float = 0.04
    weight_decay_end: float = 0.4
    teacher_momentum: float = 0.996
    clip: float = 3.0
    freeze_last_layer: int = 1
    teacher_temperature: float = 0.04
    warmup_teacher_temperature: float = 0.04
    warmup_teacher_temperature_epochs: int = 0

    def __post_init__(self) -> None:
        if self.optimizer not in OPTIMIZERS:
            raise UnknownNameError("optimizer", self.optimizer, OPTIMIZERS)
        for name in ("lr", "teacher_temperature", "warmup_teacher_temperature"):
            if getattr(self, name) <= 0:
                raise InputError(f"{name} must be above 0, not {getattr(self, name)}")
        if not 0 <= self.teacher_momentum <= 1:
            raise InputError(f"teacher_momentum must lie in [0, 1], not {self.teacher_momentum}")
