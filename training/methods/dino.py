"""DINO: self-distillation with no labels.

Caron, Touvron, Misra, Jégou, Mairal, Bojanowski, Joulin: "Emerging Properties in Self-Supervised
Vision Transformers", ICCV 2021, arXiv:2104.14294. A student sees all views of an image; a teacher,
the moving average of the student, sees only the two global views. The student is trained to
predict, from each view, the teacher's distribution over K prototypes for another view. Centring and
a low teacher temperature prevent collapse.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import nn

from lowlabel.errors import InputError
from lowlabel.fields import grown
from lowlabel.training.methods.base import Logs, MakeBackbone, MethodOptions, PretrainMethod
from lowlabel.training.methods.diagnostics import feature_std, mean_entropy, usage_entropy
from lowlabel.training.methods.dino_model import DINOHead, MultiCropModel
from lowlabel.training.methods.losses import Centre, distillation_loss
from lowlabel.training.views.recipe import GLOBAL_CROPS


@dataclass(frozen=True)
class DINOOptions(MethodOptions):
    """DINO's hyper-parameters.

    Attributes:
        prototypes: K, the width of the output.
        hidden: Width of the head's hidden layers.
        bottleneck: Width before the head's last layer.
        norm_last_layer: Whether to keep the prototypes at length 1. True is more stable; False can
            help a small ViT.
        use_bn_in_head: Whether the head's hidden layers have batch normalisation.
        student_temperature: τ_s.
        centre_momentum: Momentum of the centre's moving average.
    """

    prototypes: int = 65_536
    hidden: int = 2_048
    bottleneck: int = 256
    norm_last_layer: bool = True
    use_bn_in_head: bool = grown(False)
    student_temperature: float = 0.1
    centre_momentum: float = 0.9

    def __post_init__(self) -> None:
        for name in ("prototypes", "hidden", "bottleneck"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.student_temperature <= 0:
            raise InputError(f"student_temperature must be above 0, not {self.student_temperature}")
        if not 0 <= self.centre_momentum <= 1:
            raise InputError(f"centre_momentum must lie in [0, 1], not {self.centre_momentum}")


def make_head(backbone: nn.Module, options: DINOOptions) -> DINOHead:
    """Makes the head for a timm backbone."""
    return DINOHead(
        int(backbone.num_features),  # type: ignore[arg-type]
        options.prototypes,
        options.hidden,
        options.bottleneck,
        options.norm_last_layer,
        options.use_bn_in_head,
    )


class DINO(PretrainMethod):
    """DINO (Caron et al., ICCV 2021, arXiv:2104.14294)."""

    name: ClassVar[str] = "dino"
    options_type: ClassVar[type[MethodOptions]] = DINOOptions
    options: DINOOptions

    def __init__(self, options: DINOOptions, student: nn.Module, teacher: nn.Module) -> None:
        super().__init__(options, student, teacher)
        self.centre = Centre((1, options.prototypes), options.centre_momentum)

    @classmethod
    def build(cls, options: DINOOptions, make_backbone: MakeBackbone) -> Self:
        """Makes student and teacher, each a backbone with a head."""

        def with_head(is_student: bool) -> MultiCropModel:
            backbone = make_backbone(is_student)
            return MultiCropModel(backbone, make_head(backbone, options))

        return cls(options, with_head(True), with_head(False))

    @property
    def uniform_loss(self) -> float:
        """The logarithm of K."""
        return math.log(self.options.prototypes)

    @property
    def largest_entropy(self) -> float:
        """The logarithm of K."""
        return math.log(self.options.prototypes)

    def loss(
        self, views: list[torch.Tensor], geometry: torch.Tensor, temperature: float
    ) -> tuple[torch.Tensor, Logs]:
        """Mean cross-entropy over the pairs of a teacher view and a different student view."""
        del geometry
        batch, prototypes = len(views[0]), self.options.prototypes
        with torch.no_grad():
            teacher_logits, features = self.teacher(views[:GLOBAL_CROPS])
            targets = self.centre(teacher_logits, temperature)
        student_logits, _ = self.student(views)
        loss = distillation_loss(
            student_logits.view(len(views), batch, prototypes),
            targets.view(GLOBAL_CROPS, batch, prototypes),
            self.options.student_temperature,
        )
        self.centre.update(teacher_logits)
        return loss, {
            "teacher_entropy": mean_entropy(targets),
            "usage_entropy": usage_entropy(targets),
            "feature_std": feature_std(features),
        }
