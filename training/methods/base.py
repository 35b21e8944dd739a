"""The interface between the training loop and a method."""

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
    """Hyper-parameters of a method. Subclasses add theirs, with the defaults of the reference.

    Attributes:
        views: How to make the views of an image.
    """

    views: ViewRecipe = field(default_factory=ViewRecipe)


class PretrainMethod(nn.Module, ABC):
    """A student that is trained towards its own moving average, the teacher.

    State that a resumed run needs (centres, queues) must be a buffer of the module.

    Attributes:
        name: Name on the command line.
        options_type: Dataclass of the method's hyper-parameters.
        optimisation: Optimiser and schedules of the reference.
        options: The method's hyper-parameters.
        student: The network that the optimiser trains.
        teacher: A network of the same structure, without gradients. The training step moves its
            parameters towards the student's.
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
            make_backbone: Makes a new timm model without a classifier, of width `num_features`.
                Its argument is True for the student, which has stochastic depth, and False for
                the teacher.
        """

    @abstractmethod
    def loss(
        self, views: list[torch.Tensor], geometry: torch.Tensor, temperature: float
    ) -> tuple[torch.Tensor, Logs]:
        """Computes the loss of a batch, and updates the centres.

        Args:
            views: V normalised tensors [B, 3, h, w]: two global views, then the local ones.
            geometry: int64 [B, V, 8] with the columns `views.geometry.GEOMETRY_FIELDS`.
            temperature: The teacher's temperature τ_t in this epoch.

        Returns:
            The scalar loss, and detached values to log. They include "teacher_entropy" and
            "feature_std" (see `methods.diagnostics`).
        """

    @property
    @abstractmethod
    def uniform_loss(self) -> float:
        """Loss if the outputs of student and teacher are uniform: ln K for DINO."""

    @property
    @abstractmethod
    def largest_entropy(self) -> float:
        """Largest possible value of the log "teacher_entropy": ln K for DINO."""

    def forward(
        self, views: list[torch.Tensor], geometry: torch.Tensor, temperature: float
    ) -> tuple[torch.Tensor, Logs]:
        """Computes the loss; DistributedDataParallel calls `forward`."""
        return self.loss(views, geometry, temperature)

    def last_layers(self) -> Iterator[nn.Parameter]:
        """Parameters of the student that are frozen in the first epochs."""
        for name, parameter in self.student.named_parameters():
            if "last_layer" in name:
                yield parameter

    def backbone_for_export(self) -> nn.Module:
        """The teacher's backbone."""
        return self.teacher.get_submodule("backbone")
