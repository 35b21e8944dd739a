"""Weights files of tuned models: a backbone, and the embedding head that was tuned with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lowlabel.errors import DataError, InputError, UnknownNameError
from lowlabel.features.models.checkpoints.card import Card
from lowlabel.features.models.checkpoints.checkpoint import Checkpoint
from lowlabel.features.models.checkpoints.weights_file import Tensors
from lowlabel.features.models.embedding_head import (
    HEAD_PREFIX,
    EmbeddingEncoder,
    EmbeddingHead,
    HeadShape,
)
from lowlabel.features.models.encoders import Encoder
from lowlabel.features.transforms import ImageTransform
from lowlabel.specs import Option

EMBEDDING, BACKBONE = "embedding", "none"  # what `head=` chooses


@dataclass(frozen=True)
class Tuned:
    """What a weights file of a tuned model holds beside the backbone.

    Attributes:
        shape: Form of the embedding head.
        tensors: The head's tensors, by their names in it.
        transform: Preprocessing of the base model; None for the architecture's.
        name: Name in tables; empty for the file's.
        pretrained_on: Name of a set of images that the data of its base model include, if known.
        tuning: What it was tuned from, with and on.
        only_head: Whether the backbone is the base model's.
    """

    shape: HeadShape
    tensors: Tensors
    transform: ImageTransform | None = None
    name: str = ""
    pretrained_on: str | None = None
    tuning: Mapping[str, Any] = field(default_factory=dict)
    only_head: bool = False

    @property
    def backbone_tuning(self) -> Mapping[str, Any]:
        """What the backbone was tuned with; empty if it is the base model's."""
        return {} if self.only_head else {**self.tuning, "output": "backbone"}

    @property
    def backbone_identities(self) -> tuple[str, ...]:
        """The published weights that the backbone has; empty if it was tuned."""
        if not self.only_head:
            return ()
        spec = str(self.tuning["base_model"])
        return (
            *((spec,) if spec.startswith("timm:") else ()),
            *self.tuning.get("base_identities", ()),
        )

    def encoder(self, backbone: Encoder, checkpoint: Checkpoint) -> EmbeddingEncoder:
        """The backbone with its head.

        Raises:
            DataError: If the file's head has another form than its card says.
        """
        weight = next((t for n, t in self.tensors.items() if n.endswith("weight")), None)
        inputs = self.shape.dimension if weight is None else weight.shape[-1]
        head = EmbeddingHead(inputs, self.shape)
        expected = {name: tuple(tensor.shape) for name, tensor in head.state_dict().items()}
        found = {name: tuple(tensor.shape) for name, tensor in self.tensors.items()}
        if expected != found:
            raise DataError(
                f"{checkpoint.path} holds another embedding head than its card says: a head of "
                f"{self.shape.layers} layers to {self.shape.dimension} dimensions has "
                f"{_listed(expected)}; the file has {_listed(found)}",
                "Take its backbone alone: "
                f"--model {checkpoint.path}:head={BACKBONE}, or export it again.",
            )
        head.load_state_dict(self.tensors)
        return EmbeddingEncoder(backbone, head.eval())


def take_head(options: dict[str, Option]) -> str | None:
    """Removes the option `head`: "embedding", "none" for the backbone's output, None if not given.

    Raises:
        UnknownNameError: If it has another value.
    """
    if "head" not in options:
        return None
    value = str(options.pop("head")).lower()  # None is read as a literal
    if value not in (EMBEDDING, BACKBONE):
        raise UnknownNameError("head", value, (EMBEDDING, BACKBONE))
    return value


def tuned_model(checkpoint: Checkpoint, card: Card | None, choice: str | None) -> Tuned | None:
    """What a file holds beside the backbone of a tuned model; None for other files.

    Raises:
        InputError: If `choice` asks for a head that the file does not have.
    """
    if card is not None and card.head is not None:
        tensors = _below_prefix(checkpoint.levels[0].tensors)
        return Tuned(
            card.head,
            tensors,
            card.transform,
            card.name,
            card.pretrained_on,
            card.tuning,
            card.only_head,
        )
    if choice == EMBEDDING:
        raise InputError(
            f"{checkpoint.path} has no embedding head",
            "Leave head=embedding out: the backbone's output is its only one.",
        )
    return None


def without_head(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint without the tensors of its embedding head."""
    levels = [
        replace(
            level,
            tensors={n: t for n, t in level.tensors.items() if not n.startswith(HEAD_PREFIX)},
            heads=tuple(n for n in level.heads if HEAD_PREFIX not in n),
        )
        for level in checkpoint.levels
    ]
    return replace(checkpoint, levels=tuple(levels))


def _below_prefix(tensors: Tensors) -> Tensors:
    return {
        name.removeprefix(HEAD_PREFIX): tensor
        for name, tensor in tensors.items()
        if name.startswith(HEAD_PREFIX)
    }


def _listed(shapes: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {shape}" for name, shape in shapes.items()) or "no tensors"
