"""A loaded model that is not yet on a device, and what every kind of name shares."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from lowlabel.datasets import check_pretraining
from lowlabel.errors import InputError
from lowlabel.features.models.encoders import Encoder, TimmEncoder
from lowlabel.features.models.positions import check_positions, use_dino_positions
from lowlabel.features.transforms import ImageTransform
from lowlabel.specs import Option, format_spec


@dataclass(frozen=True)
class Source:
    """A loaded model that is not yet on a device; see `Backbone` for the attributes."""

    name: str
    spec: str
    encoder: Encoder
    transform: ImageTransform
    pooling: str | None = None
    pretrained_on: str | None = None
    positions: str = ""
    notes: tuple[str, ...] = ()
    tuning: Mapping[str, Any] = field(default_factory=dict)
    epochs: float | None = None
    identities: tuple[str, ...] = ()


def sized_encoder(
    make: Callable[[bool], nn.Module], rule: str, resized: bool, any_size: bool
) -> tuple[Encoder, str]:
    """Makes a network of timm whose position embeddings are resampled by a rule.

    Args:
        make: Makes the network, for images of any size if its argument is true.
        rule: "timm" or "dino".
        resized: Whether images have another size than the network's own.
        any_size: Whether images have more than one size.

    Returns:
        The encoder, and "dino" if DINO's rule is applied; see `Source`.
    """
    as_dino = rule == "dino" and (resized or any_size)
    module = make(any_size or as_dino)
    if rule == "dino":
        check_positions(module)
    if as_dino:
        use_dino_positions(module)
    return TimmEncoder(module), "dino" if as_dino else ""


def take_pretraining(options: dict[str, Option]) -> str | None:
    """Removes the option `pretrained_on`, which describes the weights and not the network."""
    name = options.pop("pretrained_on", None)
    if name is None:
        return None
    check_pretraining(str(name))
    return str(name)


def take_seed(options: dict[str, Option], owner: str) -> int:
    """Removes the option `seed`, 0 by default, which `owner` has."""
    seed = options.pop("seed", 0)
    if not isinstance(seed, int):
        raise InputError(f"seed={seed} {owner} must be an integer", "For example: seed=0")
    return seed


def canonical_spec(kind: str, name: str, options: Mapping[str, Option], code: str | None) -> str:
    """The canonical name of a model, with the hash of the code that a user brings along."""
    return f"{kind}:{format_spec(name, {**options, 'code': code} if code else options)}"
