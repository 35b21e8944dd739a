"""PW-Self: DINO on every patch.

Javidani, Sadeghi, Nadjar Araabi: "Patch-Wise Self-Supervised Visual Representation Learning: A
Fine-Grained Approach", arXiv:2310.18651. The crops of the views are known, so each patch token of a
student's view is compared with the teacher's token of the patch that shows the same part of the
image. The features become finer than those trained by one comparison of whole views.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Self

import torch

from lowlabel.errors import InputError
from lowlabel.training.methods.base import Logs, MakeBackbone, MethodOptions
from lowlabel.training.methods.diagnostics import feature_std, mean_entropy, usage_entropy
from lowlabel.training.methods.dino import DINO, DINOOptions, make_head
from lowlabel.training.methods.losses import Centre
from lowlabel.training.methods.patch_loss import patch_distillation_loss, token_weights
from lowlabel.training.methods.patch_matching import MATCHINGS
from lowlabel.training.methods.token_model import TokenModel, patch_side
from lowlabel.training.views.recipe import GLOBAL_CROPS, ViewRecipe

_VIEWS = ViewRecipe(resize=256, shared_geometry=True)


@dataclass(frozen=True)
class PWSelfOptions(DINOOptions):
    """PW-Self's hyper-parameters, in addition to DINO's.

    Attributes:
        matching: "containing" matches a patch with the one that contains its centre; "reference"
            is the matching of the paper's authors, less accurate and with fewer pairs.
        cls_weight: Weight λ of the CLS tokens; the mean over the patches has weight 1 − λ (0.9 in
            the authors' variant). None takes one mean over CLS tokens and matched patches.
        views: The authors' views: images are first resized to squares of 256 pixels, and a batch
            shares its crops. `shared_geometry=False` draws crops per image.
    """

    prototypes: int = 10_000
    matching: str = "containing"
    cls_weight: float | None = None
    views: ViewRecipe = _VIEWS

    def __post_init__(self) -> None:
        super().__post_init__()
        MATCHINGS[self.matching]
        if self.cls_weight is not None and not 0 <= self.cls_weight <= 1:
            raise InputError(f"cls_weight must lie in [0, 1], not {self.cls_weight}")


class PWSelf(DINO):
    """PW-Self (Javidani et al., arXiv:2310.18651).

    The teacher has one centre per token position of the global views.
    """

    name: ClassVar[str] = "pw-self"
    options_type: ClassVar[type[MethodOptions]] = PWSelfOptions
    options: PWSelfOptions

    def __init__(self, options: PWSelfOptions, student: TokenModel, teacher: TokenModel) -> None:
        super().__init__(options, student, teacher)
        self.patch = patch_side(student.backbone, set(options.views.sizes))
        tokens = (options.views.global_size // self.patch) ** 2 + 1
        self.centre = Centre((1, tokens, options.prototypes), options.centre_momentum)

    @classmethod
    def build(cls, options: PWSelfOptions, make_backbone: MakeBackbone) -> Self:  # type: ignore[override]
        """Makes student and teacher, each a backbone with a head on its tokens.

        Raises:
            InputError: If the architecture has no CLS and patch tokens, or a view's side is not a
                multiple of the patch's.
        """

        def with_head(is_student: bool) -> TokenModel:
            backbone = make_backbone(is_student)
            patch_side(backbone, set(options.views.sizes))
            return TokenModel(backbone, make_head(backbone, options))

        return cls(options, with_head(True), with_head(False))

    def loss(
        self, views: list[torch.Tensor], geometry: torch.Tensor, temperature: float
    ) -> tuple[torch.Tensor, Logs]:
        """Cross-entropy over matched tokens, averaged over the batch and the pairs of views."""
        with torch.no_grad():
            logits, features = self.teacher(views[:GLOBAL_CROPS])
            teacher_logits = torch.cat(logits)
            targets = self.centre(teacher_logits, temperature)
        student_logits, _ = self.student(views)
        loss = patch_distillation_loss(
            student_logits,
            targets.unflatten(0, (GLOBAL_CROPS, -1)),
            self._weights(student_logits, geometry, targets),
            self.options.student_temperature,
        )
        self.centre.update(teacher_logits)
        return loss, {
            "teacher_entropy": mean_entropy(targets),
            "usage_entropy": usage_entropy(targets),
            "feature_std": feature_std(features),
        }

    def _weights(
        self, student_logits: list[torch.Tensor], geometry: torch.Tensor, targets: torch.Tensor
    ) -> Callable[[int, int], torch.Tensor]:
        """A function that computes the `token_weights` of a student view and a teacher view."""
        match = MATCHINGS[self.options.matching]

        def weights(view: int, teacher: int) -> torch.Tensor:
            matches = match(geometry[:, view], geometry[:, teacher], self.patch)
            tokens = student_logits[view].shape[1], targets.shape[1]
            return token_weights(matches.to(targets.device), tokens, self.options.cls_weight)

        return weights
