"""Hyper-parameters of the optimiser and its schedules, with DINO's defaults."""

from dataclasses import dataclass

from lowlabel.errors import InputError, UnknownNameError

OPTIMIZERS = ("adamw", "sgd", "lars")


@dataclass(frozen=True)
class Optimisation:
    """Optimiser and schedules. Epochs that are counted in steps may be fractions.

    Attributes:
        optimizer: "adamw", or "sgd" or "lars" with momentum 0.9.
        lr: Peak learning rate per 256 images; scaled with the global batch size.
        min_lr: Learning rate at the end of its cosine; not scaled.
        warmup_epochs: Epochs of linear warm-up from 0.
        weight_decay: Weight decay at the start; not applied to biases and 1-D parameters.
        weight_decay_end: Weight decay at the end of its cosine.
        teacher_momentum: Momentum of the teacher's moving average at the start; its cosine ends
            at 1.
        clip: Largest gradient norm of each parameter tensor; 0 for none.
        freeze_last_layer: Epochs in which the head's last layer is frozen.
        teacher_temperature: τ_t after its warm-up.
        warmup_teacher_temperature: τ_t in the first epoch.
        warmup_teacher_temperature_epochs: Epochs of the linear warm-up of τ_t.
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
