"""What the training loop asks of a method."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import torch
from torch import nn

from lowlabel.training.engine.optimisation import Optimisation
from lowlabel.training.views.recipe import ViewRecipe

MakeBackbone = Callable[[bool], nn.Module]
Logs = dict[str, float | torch.Tensor]


@dataclass(frozen=True)
class MethodOptions:
    """A method's hyper-parameters; each method adds its own, with its reference's defaults.

    Attributes:
        views: How images become views.
    """

    views: ViewRecipe = field(default_factory=ViewRecipe)


class PretrainMethod(nn.Module, ABC):
    """A student that learns from the moving average of itself.

    Everything that a resumed run needs (centres, queues) is a buffer of the module.

    Attributes:
        name: The name on the command line.
        options_type: The dataclass of the method's hyper-parameters.
        optimisation: The reference's optimiser and schedules.
        options: The method's hyper-parameters.
        student: What the optimiser trains.
        teacher: Of equal structure, without gradients; the loop moves its parameters towards
            the student's.
    """

    name: ClassVar[str]
    options_type: ClassVar[type[MethodOptions]] = MethodOptions
    optimisation: ClassVar[Optimisation] = Optimisation()

    def __init__(self, options: Any, student: nn.Module, teacher: nn.Module) -> None:
        super().__init__()
        self.options = options
        self.student = student
        self.teacher = teacher
        self.teacher.load_state_dict(self.student.state_dict())
        self.teacher.requires_grad_(False)

    @classmethod
    @abstractmethod
    def build(cls, options: Any, make_backbone: MakeBackbone) -> Self:
        """Makes the method.

        Args:
            options: An instance of `options_type`.
            make_backbone: Gives a new timm model without a classifier (its width is
                `num_features`); called with True for the student's, which has stochastic depth,
                and with False for the teacher's.
        """

    @abstractmethod
    def loss(
        self, views: list[torch.Tensor], geometry: torch.Tensor, temperature: float
    ) -> tuple[torch.Tensor, Logs]:
        """The loss of a batch; centres are updated on the way, under `no_grad`.

        Args:
            views: V tensors [B, 3, h, w], normalised: two global views, then the local ones.
            geometry: int64 [B, V, 8], columns as `lowlabel.training.geometry.GEOMETRY_FIELDS`.
            temperature: The teacher's, τ_t, in this epoch.

        Returns:
            The scalar loss, and detached values to log; among them "teacher_entropy" in nats and
            "feature_std" (see `lowlabel.training.methods.multicrop_model.feature_std`).
        """

    @property
    @abstractmethod
    def uniform_loss(self) -> float:
        """The loss of a student and a teacher whose outputs are uniform: ln K for DINO."""

    @property
    @abstractmethod
    def largest_entropy(self) -> float:
        """The largest value that the log "teacher_entropy" can take: ln K for DINO."""

    def forward(
        self, views: list[torch.Tensor], geometry: torch.Tensor, temperature: float
    ) -> tuple[torch.Tensor, Logs]:
        """The loss; named so for DistributedDataParallel."""
        return self.loss(views, geometry, temperature)

    def views(self) -> ViewRecipe:
        """How images become views."""
        return self.options.views  # type: ignore[no-any-return]

    def last_layers(self) -> Iterator[nn.Parameter]:
        """The student's parameters that stay as they are in the first epochs."""
        for name, parameter in self.student.named_parameters():
            if "last_layer" in name:
                yield parameter

    def backbone_for_export(self) -> nn.Module:
        """What a finished run is kept for: the teacher's backbone."""
        return self.teacher.get_submodule("backbone")

    def train(self, mode: bool = True) -> Self:
        """Sets the mode; student and teacher alike, for their BatchNorms both see batches."""
        return super().train(mode)
