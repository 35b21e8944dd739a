"""Holds a checkpoint's tensors against those of a network, in every reading."""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass

from torch import nn

from lowlabel.features.models.checkpoints.checkpoint import Checkpoint
from lowlabel.features.models.checkpoints.conversion import (
    Conversion,
    grey_to_colour,
    timm_conversion,
)
from lowlabel.features.models.checkpoints.state_dicts import Level
from lowlabel.features.models.checkpoints.tensor_names import (
    is_harmless,
    is_pooling_head,
    is_recomputed,
)
from lowlabel.features.models.checkpoints.weights_file import Tensors
from lowlabel.specs import Option


@dataclass(frozen=True)
class Match:
    """A checkpoint's tensors beside those of a network.

    Attributes:
        expected: The network's tensors.
        constants: Names of its buffers.
        level: The tensors in the file.
        tensors: The same, as they are or converted.
    """

    expected: Tensors
    constants: Set[str]
    level: Level
    tensors: Tensors

    @property
    def found(self) -> Tensors:
        """Tensors that have the name and the shape of one of the network."""
        return {
            name: tensor
            for name, tensor in self.tensors.items()
            if name in self.expected and tensor.shape == self.expected[name].shape
        }

    @property
    def missing(self) -> list[str]:
        """Names of the network's other tensors."""
        absent = self.expected.keys() - self.found.keys()
        return sorted(n for n in absent if not (n in self.constants and is_recomputed(n)))

    @property
    def unused(self) -> list[str]:
        """Names of tensors that the network has no place for."""
        return [*(n for n in self.tensors if n not in self.expected), *self._lost_biases()]

    @property
    def left_over(self) -> list[str]:
        """Those that are no head, with the prefixes that they have in the file."""
        inside = (n for n in self.unused if not is_harmless(n) and not is_pooling_head(n))
        return [*self.level.beside, *(self.level.prefix + n for n in inside)]

    @property
    def mismatches(self) -> int:
        """Number of tensors that are missing or left over."""
        return len(self.missing) + len(self.left_over)

    def _lost_biases(self) -> Iterator[str]:
        """DINOv3's biases, which timm drops for its architectures without them.

        Those of the keys are masked by the model itself.
        """
        if "storage_tokens" not in self.level.tensors:
            return
        for name, tensor in self.level.tensors.items():
            split = name.replace("qkv.bias", "q_bias")
            if name.endswith("attn.qkv.bias") and not {name, split} & self.tensors.keys():
                query, _, value = tensor.chunk(3)
                if query.is_meta or bool(query.any()) or bool(value.any()):
                    yield name


def best_match(
    module: nn.Module, checkpoint: Checkpoint, name: str, options: Mapping[str, Option]
) -> Match:
    """The reading of a checkpoint that fits a network best; the first that fits whole."""
    expected = {
        key: tensor
        for key, tensor in module.state_dict().items()
        if not key.endswith("num_batches_tracked")
    }
    constants = {key for key, _ in module.named_buffers()}
    matches: list[Match] = []
    for convert in _readings(name, options):
        for level in reversed(checkpoint.levels):
            tensors = convert(level.tensors, module)
            if tensors is None:
                continue
            match = Match(expected, constants, level, grey_to_colour(module, tensors))
            if not match.mismatches:
                return match
            matches.append(match)
    return min(matches, key=lambda match: match.mismatches)


def _readings(name: str, options: Mapping[str, Option]) -> Iterator[Conversion]:
    """The tensors as they are, then as timm converts them."""
    yield lambda tensors, _: tensors
    yield timm_conversion(name, options)
