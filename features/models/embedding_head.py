"""The embedding head of a tuned model: a backbone's features → the embeddings that are compared."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import normalize

from lowlabel.errors import InputError
from lowlabel.features.models.encoders import Encoder
from lowlabel.features.pooling import Tokens, blocks_of, check_pooling, pool

HEAD_PREFIX = "embedding_head."  # of its tensors in a weights file
MOST_LAYERS = 2


@dataclass(frozen=True)
class HeadShape:
    """The form of an embedding head.

    Attributes:
        layers: 0 gives the features themselves, 1 a linear layer, 2 a linear layer of the
            features' own width, ReLU and a linear layer.
        dimension: Length of the embeddings; without layers, that of the features.
        normalise: Whether embeddings are scaled to length 1.
        input: Pooling of the backbone's features, as in `Backbone`.
    """

    layers: int = 1
    dimension: int = 128
    normalise: bool = True
    input: str = "head"

    def __post_init__(self) -> None:
        if self.layers not in range(MOST_LAYERS + 1):
            raise InputError(
                f"an embedding head has 0, 1 or {MOST_LAYERS} layers, not {self.layers}"
            )
        if self.dimension < 1:
            raise InputError(f"embeddings have at least 1 dimension, not {self.dimension}")
        check_pooling(self.input)

    def __str__(self) -> str:
        length = "-l2" if self.normalise else ""
        return f"{self.input}-{self.layers}x{self.dimension}{length}"


class EmbeddingHead(nn.Module):
    """Maps features [B, D] to embeddings.

    Args:
        inputs: D.
        shape: The form.

    Raises:
        InputError: If there are no layers and the dimension is not D.
    """

    def __init__(self, inputs: int, shape: HeadShape) -> None:
        super().__init__()
        if not shape.layers and shape.dimension != inputs:
            raise InputError(
                f"a head without layers keeps the {inputs} dimensions of the features, and cannot "
                f"give {shape.dimension}",
                "Give the head a layer, or leave its dimension out.",
            )
        self.shape = shape
        hidden = [nn.Linear(inputs, inputs), nn.ReLU()] if shape.layers == MOST_LAYERS else []
        last = [nn.Linear(inputs, shape.dimension)] if shape.layers else []
        self.layers = nn.Sequential(*hidden, *last)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Computes embeddings [B, dimension]."""
        embeddings: torch.Tensor = self.layers(features)
        return normalize(embeddings) if self.shape.normalise else embeddings


class EmbeddingEncoder(Encoder):
    """A backbone with an embedding head.

    Its own pooling, "head", gives the embeddings; every other pooling is the backbone's.

    Args:
        backbone: The backbone.
        head: Takes the backbone's features of the pooling `head.shape.input`.
    """

    def __init__(self, backbone: Encoder, head: EmbeddingHead) -> None:
        super().__init__()
        self.backbone = backbone
        self.embedding_head = head
        self.patch, self.depth = backbone.patch, backbone.depth

    def head(self, images: torch.Tensor) -> torch.Tensor:
        """Computes the embeddings [B, dimension]."""
        embeddings: torch.Tensor = self.embedding_head(self.features(images))
        return embeddings

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Computes the embeddings [B, dimension]."""
        return self.head(images)

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Computes what the head takes [B, D]."""
        return pooled_features(self.backbone, images, self.embedding_head.shape.input)

    def tokens(self, images: torch.Tensor) -> Tokens:
        """Computes the backbone's tokens of the last layer."""
        return self.backbone.tokens(images)

    def blocks(self, images: torch.Tensor, count: int) -> list[Tokens]:
        """Computes the backbone's tokens of the last blocks."""
        return self.backbone.blocks(images, count)


def pooled_features(encoder: Encoder, images: torch.Tensor, pooling: str) -> torch.Tensor:
    """Computes an encoder's features [B, D] of images [B, 3, H, W] with a pooling."""
    if pooling == "head":
        return encoder.head(images)
    return pool(encoder.blocks(images, blocks_of(pooling)), pooling)
