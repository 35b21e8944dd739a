"""The network that is tuned: a backbone of timm, an embedding head, and what of them is frozen."""

from collections.abc import Mapping, Sequence
from copy import deepcopy

import torch
from timm.models import group_parameters
from torch import nn
from torch.nn.utils import parametrize

from lowlabel.errors import InputError
from lowlabel.features import Backbone
from lowlabel.features.models.base_card import tuned_tensors
from lowlabel.features.models.embedding_head import EmbeddingEncoder, EmbeddingHead, HeadShape
from lowlabel.features.models.encoders import Encoder
from lowlabel.reading import physical_memory
from lowlabel.training.finetuning.options import FinetuneOptions


class TunedModel(EmbeddingEncoder):
    """A backbone with an embedding head, in training.

    Args:
        base: The base model; its encoder is copied.
        options: What is tuned.

    Raises:
        InputError: If the backbone has fewer blocks than are to be frozen, or nothing to adapt, or
            if nothing is left to tune.
    """

    def __init__(self, base: Backbone, options: FinetuneOptions) -> None:
        encoder = deepcopy(base.encoder).cpu().float().requires_grad_(True)
        width = feature_width(base)
        shape = head_shape(base, options)
        super().__init__(encoder, EmbeddingHead(width, shape))
        frozen = freeze_blocks(encoder, options.freeze_blocks)
        if options.lora:
            add_adapters(encoder, options.lora, options.lora_alpha, frozen)
        if not any(parameter.requires_grad for parameter in self.parameters()):
            raise InputError(
                "nothing is left to tune: all blocks are frozen, and there is no embedding head",
                "Freeze fewer blocks, or give 1 or 2 --head-layers.",
            )
        self._keeps_statistics = options.freeze_batch_norm

    def train(self, mode: bool = True) -> "TunedModel":
        """Sets the mode; frozen BatchNorm stays in evaluation mode."""
        super().train(mode)
        if mode and self._keeps_statistics:
            for module in self.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()
        return self

    def exported(self) -> Mapping[str, torch.Tensor]:
        """The tensors of the exported model on the CPU, with adapters added to the weights."""
        tensors = dict(tuned_tensors(self.backbone, self.embedding_head))
        module = self.backbone.module
        assert isinstance(module, nn.Module)
        for name, layer in module.named_modules():
            if parametrize.is_parametrized(layer, "weight"):
                own = [key for key in tensors if key.startswith(f"{name}.parametrizations.weight.")]
                for key in own:
                    del tensors[key]
                tensors[f"{name}.weight"] = layer.weight.detach().cpu()
        return {name: tensor.clone() for name, tensor in tensors.items()}


def check_head_memory(base: Backbone, options: FinetuneOptions, classes: int) -> None:
    """Raises an `InputError` if a head and a proxy of each class do not fit in memory to tune."""
    if not options.head_layers:
        return
    rows, memory = feature_width(base) + classes, physical_memory()
    needed = 4 * 4 * rows * options.dimension  # values, gradient and two moments in float32
    if memory and needed > memory:
        raise InputError(
            f"a head of {options.dimension:,} dimensions needs {needed / 2**30:,.1f} GiB of "
            f"memory to tune; this computer has {memory / 2**30:,.1f} GiB",
            "Give a smaller --dimension.",
        )


def feature_width(base: Backbone) -> int:
    """Length of the base model's features."""
    height, width = base.transform.blank
    return base.embed(torch.zeros(1, height, width, 3, dtype=torch.uint8)).shape[1]


def head_shape(base: Backbone, options: FinetuneOptions) -> HeadShape:
    """The form of the embedding head on a base model."""
    dimension = options.dimension if options.head_layers else feature_width(base)
    return HeadShape(options.head_layers, dimension, options.normalise, base.pooling)


def freeze_blocks(encoder: Encoder, count: int) -> set[str]:
    """Freezes the first blocks of a network of timm, with what lies before them.

    Returns:
        The names of the frozen parameters.

    Raises:
        InputError: If the network has fewer blocks.
    """
    if not count:
        return set()
    module = encoder.module
    assert isinstance(module, nn.Module)
    groups = group_parameters(module, module.group_matcher(coarse=False))  # type: ignore[operator]
    blocks = len(groups) - 1  # without the stem; what follows the last block belongs to it
    if count > blocks:
        raise InputError(
            f"cannot freeze {count} blocks of a network that has {blocks}",
            f"Give --freeze-blocks {blocks} or less.",
        )
    names = {name for group in sorted(groups)[: count + 1] for name in groups[group]}
    for name, parameter in module.named_parameters():
        if name in names:
            parameter.requires_grad_(False)
    return names


def leave_out_unused(model: TunedModel, side: int, device: torch.device) -> None:
    """Asks no gradient of parameters that the embeddings do not depend on.

    Such are those of a pooling by attention where another pooling is chosen. Processes that average
    gradients would wait for theirs.

    Args:
        model: The network; keeps its mode.
        side: Side of the images in pixels.
        device: Its device.
    """
    was_training = model.training
    model.eval()
    tuned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    embeddings = model(torch.zeros(1, 3, side, side, device=device))
    found: Sequence[torch.Tensor | None] = torch.autograd.grad(  # None where no path leads
        embeddings.sum(), tuned, allow_unused=True
    )
    for parameter, gradient in zip(tuned, found, strict=True):
        if gradient is None:
            parameter.requires_grad_(False)
    model.train(was_training)


class LowRank(nn.Module):
    """A weight [M, N] with the product of two thin matrices added to it; at first nothing is.

    Args:
        weight: The weight.
        rank: Number of columns of the first and rows of the second matrix.
        alpha: The product is scaled by alpha / rank.
    """

    def __init__(self, weight: torch.Tensor, rank: int, alpha: float) -> None:
        super().__init__()
        rows, columns = weight.shape
        self.scale = alpha / rank
        self.down = nn.Parameter(torch.empty(rank, columns))
        self.up = nn.Parameter(torch.zeros(rows, rank))
        nn.init.kaiming_uniform_(self.down, a=5**0.5)

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """The weight with its adapter."""
        return weight + self.scale * (self.up @ self.down)


def add_adapters(encoder: Encoder, rank: int, alpha: float, frozen: set[str]) -> None:
    """Freezes a network and gives its linear layers adapters, except in frozen blocks.

    Raises:
        InputError: If the network has no linear layer to adapt, or none has so high a rank.
    """
    module = encoder.module
    assert isinstance(module, nn.Module)
    layers = [
        layer
        for name, layer in module.named_modules()
        if isinstance(layer, nn.Linear) and f"{name}.weight" not in frozen
    ]
    largest = max((min(layer.weight.shape) for layer in layers), default=0)
    if layers and rank > largest:
        raise InputError(
            f"adapters of rank {rank:,} are larger than the weights, whose rank is at most "
            f"{largest:,}",
            f"Give --lora {largest} or less.",
        )
    if not layers:
        raise InputError(
            "there are no linear layers to adapt: the network is convolutional, or all of its "
            "blocks are frozen",
            "Leave --lora out, or freeze fewer blocks.",
        )
    module.requires_grad_(False)
    for layer in layers:
        parametrize.register_parametrization(layer, "weight", LowRank(layer.weight, rank, alpha))
