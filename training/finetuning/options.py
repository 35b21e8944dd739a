"""Hyper-parameters of fine-tuning. The defaults are those of SSL-ViT's table 2."""

from dataclasses import dataclass, field

from lowlabel.errors import InputError, UnknownNameError
from lowlabel.training.finetuning.validation import CRITERIA
from lowlabel.training.views.recipe import SingleView

OPTIMIZERS = ("adam", "adamw", "sgd")
SCHEDULES = ("constant", "cosine", "step")


@dataclass(frozen=True)
class FinetuneOptions:
    """What is tuned, on which batches, and how the epoch is chosen.

    Attributes:
        views: How the training view of an image is made.
        miner: Miner of the loss, as a class of pytorch-metric-learning with ,option=value…; empty
            for the loss's own, "none" for none.
        images_per_class: Images of a class in a batch; 0 draws batches without regard to classes.
        head_layers: Layers of the embedding head; 0 tunes the backbone's own output.
        dimension: Length of the embeddings; without layers, that of the backbone's output.
        normalise: Whether embeddings are scaled to length 1.
        freeze_blocks: Number of first blocks, with what lies before them, that are not tuned.
        lora: Rank of adapters of the linear layers, which are tuned in place of the backbone's own
            weights and added to them at the end (Hu et al., ICLR 2022, arXiv:2106.09685); 0 for
            none.
        lora_alpha: Adapters are scaled by lora_alpha / lora.
        freeze_batch_norm: Whether BatchNorm keeps its statistics.
        validation: Share of the train classes that the epoch is chosen on; 0 keeps the last epoch.
        criterion: "recall@1" or "map@r" on these classes.
    """

    views: SingleView = field(default_factory=SingleView)
    miner: str = ""
    images_per_class: int = 2
    head_layers: int = 1
    dimension: int = 128
    normalise: bool = True
    freeze_blocks: int = 0
    lora: int = 0
    lora_alpha: float = 16.0
    freeze_batch_norm: bool = True
    validation: float = 0.2
    criterion: str = CRITERIA[0]

    def __post_init__(self) -> None:
        for name in ("images_per_class", "freeze_blocks", "lora"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} must be at least 0, not {getattr(self, name)}")
        if self.criterion not in CRITERIA:
            raise UnknownNameError("criterion", self.criterion, CRITERIA)


@dataclass(frozen=True)
class FinetuneOptimisation:
    """Optimiser and schedule of fine-tuning.

    Attributes:
        optimizer: "adam" (weight decay is added to the gradient), "adamw" or "sgd" with momentum.
        lr: Learning rate of the backbone, or of its adapters.
        head_lr: Learning rate of the embedding head; 0 takes `lr`.
        loss_lr: Learning rate of the loss's proxies or margins.
        weight_decay: Weight decay of backbone and head.
        loss_weight_decay: Weight decay of the loss's proxies or margins.
        schedule: "constant", "cosine" to 0 after the warm-up, or "step", by which every
            `decay_every` epochs multiply the rates by `decay`.
        decay_every: Epochs between two steps of the schedule.
        decay: Factor of such a step.
        warmup_epochs: Epochs of linear warm-up from 0; may be a fraction.
        freeze_backbone_epochs: First epochs in which only head and loss are tuned.
        clip: Largest gradient norm of each parameter tensor; 0 for none.
    """

    optimizer: str = "adam"
    lr: float = 1e-5
    head_lr: float = 0.0
    loss_lr: float = 5e-4
    weight_decay: float = 4e-4
    loss_weight_decay: float = 0.0
    schedule: str = "constant"
    decay_every: int = 10
    decay: float = 0.5
    warmup_epochs: float = 0.0
    freeze_backbone_epochs: int = 0
    clip: float = 0.0

    def __post_init__(self) -> None:
        if self.optimizer not in OPTIMIZERS:
            raise UnknownNameError("optimizer", self.optimizer, OPTIMIZERS)
        if self.schedule not in SCHEDULES:
            raise UnknownNameError("schedule", self.schedule, SCHEDULES)
        if self.lr <= 0:
            raise InputError(f"lr must be above 0, not {self.lr}")
        for name in (
            *("head_lr", "loss_lr", "weight_decay", "loss_weight_decay"),
            *("warmup_epochs", "freeze_backbone_epochs", "clip"),
        ):
            if getattr(self, name) < 0:
                raise InputError(f"{name} must be at least 0, not {getattr(self, name)}")
        if self.decay_every < 1:
            raise InputError(f"decay_every must be at least 1, not {self.decay_every}")
        if not 0 < self.decay <= 1:
            raise InputError(f"decay must be above 0 and at most 1, not {self.decay}")
