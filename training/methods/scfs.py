"""SCFS: DINO on a convolutional network, with feature search across layers.

Song, Zhang, Luo, Wang, Xie: "Semantics-Consistent Feature Search for Self-Supervised Visual
Representation Learning", ICCV 2023, arXiv:2212.06486. A local crop may show little of what a global
crop shows, so comparing their averages also matches the background. SCFS weights each position of
the teacher's map by its similarity to the local crop before it compares them, at three depths.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, Self, cast

import torch
from torch import nn

from lowlabel.errors import InputError
from lowlabel.training.engine.optimisation import Optimisation
from lowlabel.training.methods.base import Logs, MakeBackbone, MethodOptions
from lowlabel.training.methods.diagnostics import feature_std, mean_entropy, usage_entropy
from lowlabel.training.methods.dino import DINO, DINOOptions, make_head
from lowlabel.training.methods.feature_search import SEARCH_LAYERS, SearchModel, searched_features
from lowlabel.training.methods.losses import Centre, distillation_loss
from lowlabel.training.views.recipe import GLOBAL_CROPS, ViewRecipe

_VIEWS = ViewRecipe(global_scale=(0.25, 1.0), local_scale=(0.05, 0.25))


@dataclass(frozen=True)
class SCFSOptions(DINOOptions):
    """SCFS's hyper-parameters, in addition to DINO's.

    Attributes:
        search_bottleneck: Channels inside the shallow heads' residual bottleneck.
        search_hidden: Width of the shallow heads' hidden layer.
        search_outputs: Width of the shallow heads' output.
        views: The views; at least one must be local.
    """

    search_bottleneck: int = 256
    search_hidden: int = 2_048
    search_outputs: int = 256
    views: ViewRecipe = _VIEWS

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("search_bottleneck", "search_hidden", "search_outputs"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.views.local_crops < 1:
            raise InputError(
                "feature search needs local views, but local_crops is 0",
                "Give --set local_crops=8, or train with dino.",
            )
        if self.views.local_size == self.views.global_size:
            raise InputError(
                f"global and local views both have {self.views.global_size} pixels",
                "Give --set local_size another value than global_size.",
            )


class SCFS(DINO):
    """SCFS (Song et al., ICCV 2023): L = L_DINO + Σ ½(L_g + L_l) over layer2, layer3, layer4."""

    name: ClassVar[str] = "scfs"
    options_type: ClassVar[type[MethodOptions]] = SCFSOptions
    optimisation: ClassVar[Optimisation] = Optimisation(
        optimizer="sgd",
        lr=0.1,
        min_lr=0.0048,
        weight_decay=1e-4,
        weight_decay_end=1e-4,
        teacher_temperature=0.07,
        warmup_teacher_temperature=0.04,
        warmup_teacher_temperature_epochs=50,
    )
    options: SCFSOptions

    def __init__(self, options: SCFSOptions, student: SearchModel, teacher: SearchModel) -> None:
        super().__init__(options, student, teacher)
        self.layer_centres = nn.ModuleList(
            Centre((1, options.search_outputs), options.centre_momentum) for _ in SEARCH_LAYERS
        )

    @classmethod
    def build(cls, options: SCFSOptions, make_backbone: MakeBackbone) -> Self:  # type: ignore[override]
        """Makes student and teacher, each a backbone with DINO's head and three shallow heads.

        Raises:
            InputError: If the architecture has no layer2, layer3 and layer4.
        """

        def with_heads(is_student: bool) -> SearchModel:
            backbone = make_backbone(is_student)
            widths = options.search_bottleneck, options.search_hidden, options.search_outputs
            return SearchModel(backbone, make_head(backbone, options), *widths)

        return cls(options, with_heads(True), with_heads(False))

    @property
    def uniform_loss(self) -> float:
        """DINO's ln K, plus the logarithm of the shallow heads' output width for each layer."""
        layers = len(SEARCH_LAYERS) * math.log(self.options.search_outputs)
        return math.log(self.options.prototypes) + layers

    def loss(
        self, views: list[torch.Tensor], geometry: torch.Tensor, temperature: float
    ) -> tuple[torch.Tensor, Logs]:
        """DINO's loss plus the losses of the three layers."""
        del geometry
        with torch.no_grad():
            logits, features, (teacher_maps,) = self.teacher(views[:GLOBAL_CROPS])
            targets = self.centre(logits, temperature)
        student_logits, _, (global_maps, local_maps) = self.student(views)
        dino = distillation_loss(
            student_logits.unflatten(0, (len(views), -1)),
            targets.unflatten(0, (GLOBAL_CROPS, -1)),
            self.options.student_temperature,
        )
        layers = [
            self._layer_loss(layer, teacher_maps[layer], maps, locals_, temperature)
            for layer, (maps, locals_) in enumerate(zip(global_maps, local_maps, strict=True))
        ]
        self.centre.update(logits)
        return dino + torch.stack(layers).sum(), {
            "teacher_entropy": mean_entropy(targets),
            "usage_entropy": usage_entropy(targets),
            "feature_std": feature_std(features),
            "dino_loss": dino.detach(),
            **{
                f"{name}_loss": value.detach()
                for name, value in zip(SEARCH_LAYERS, layers, strict=True)
            },
        }

    def _layer_loss(
        self,
        layer: int,
        teacher_maps: torch.Tensor,
        global_maps: torch.Tensor,
        local_maps: torch.Tensor,
        temperature: float,
    ) -> torch.Tensor:
        """½(L_g + L_l) of one layer. Updates the layer's centre.

        Args:
            layer: Index of the layer in `SEARCH_LAYERS`.
            teacher_maps: The teacher's maps of the global views [2·B, C, H, W].
            global_maps: The student's maps of the global views [2·B, C, H, W].
            local_maps: The student's maps of the local views [L·B, C, h, w].
            temperature: The teacher's temperature τ_t.
        """
        student = self.student.get_submodule(f"shallow_heads.{layer}")
        teacher = self.teacher.get_submodule(f"shallow_heads.{layer}")
        centre = cast(Centre, self.layer_centres[layer])
        student_temperature = self.options.student_temperature
        with torch.no_grad():
            outputs = teacher(teacher_maps)
            targets = centre(outputs, temperature).unflatten(0, (GLOBAL_CROPS, -1))
            first_view = teacher_maps.chunk(GLOBAL_CROPS)[0]
            by_view = local_maps.unflatten(0, (-1, len(first_view)))
            searched = teacher(searched_features(by_view, first_view).flatten(0, 1))
            local_targets = (searched.float() / temperature).softmax(dim=-1)
            centre.update(outputs)
        logits = student(global_maps).unflatten(0, (GLOBAL_CROPS, -1))
        swapped = distillation_loss(logits, targets, student_temperature)
        scores = student(local_maps).float() / student_temperature
        local: torch.Tensor = -(local_targets * scores.log_softmax(dim=-1)).sum(dim=-1).mean()
        return 0.5 * (swapped + local)
