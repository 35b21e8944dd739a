"""`hf-hub:OWNER/NAME|FOLDER`: weights for a network of timm with the `config.json` of timm."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from lowlabel.datasets import IMAGENET
from lowlabel.errors import DataError
from lowlabel.features.models.architectures import (
    check_architecture,
    config_transform,
    create,
    resize_input,
)
from lowlabel.features.models.checkpoints.checkpoint import read_checkpoint
from lowlabel.features.models.checkpoints.loading import Loaded, load_whole
from lowlabel.features.models.code.user_code import registered_code
from lowlabel.features.models.libraries.hub_files import (
    CONFIG,
    check_folder,
    model_folder,
    weights_file,
)
from lowlabel.features.models.libraries.library import Library
from lowlabel.features.models.option_limits import check_options
from lowlabel.features.models.positions import take_positions
from lowlabel.features.models.pretrained import holds_imagenet, is_published
from lowlabel.features.models.source import (
    Source,
    canonical_spec,
    sized_encoder,
    take_pretraining,
)
from lowlabel.features.transforms import Size
from lowlabel.paths import expanded
from lowlabel.reading import reading
from lowlabel.specs import Option, parse_spec

_OF_NETWORK = {"input_size", "fixed_input_size", "first_conv", "classifier", "pool_size"}
_OF_IMAGES = {"interpolation", "crop_pct", "crop_mode", "mean", "std"}
_MOST_BYTES = 1 << 20
_SIDE = 224  # pixels, where none is given


@dataclass(frozen=True)
class HubCard:
    """What timm writes beside weights.

    Attributes:
        architecture: The network in timm.
        options: Its options.
        config: Sizes and preprocessing; where to fetch weights is left out.
    """

    architecture: str
    options: dict[str, Option]
    config: dict[str, Any]

    @property
    def side(self) -> Size:
        """Side of the images in pixels; (height, width) of others."""
        height, width = (int(each) for each in self.config["input_size"][-2:])
        return height if height == width else (height, width)


def check(rest: str) -> None:
    """Checks what can be known of `hf-hub:REST` before it is loaded."""
    name, options = parse_spec(rest)
    take_pretraining(options)
    take_positions(options)
    check_folder("hf-hub", name)
    if expanded(name).is_dir():
        read_hub_card(expanded(name))


def open_model(rest: str, resolution: int | None, any_size: bool) -> Source:
    """Loads `hf-hub:REST`; see `Library.open`."""
    name, given = parse_spec(rest)
    seen, rule, revision = (
        take_pretraining(given),
        take_positions(given),
        given.pop("revision", None),
    )
    folder = model_folder("hf-hub", name, None if revision is None else str(revision))
    card = read_hub_card(folder)
    path = _whole_file(folder)
    options = card.options | given
    side = resolution or given.get("img_size") or card.side
    assert isinstance(side, int | tuple)
    loaded = Loaded()

    def make(any_size: bool) -> nn.Module:
        nonlocal loaded
        module = create(
            card.architecture, options, None, any_size, pretrained=False, pretrained_cfg=card.config
        )
        with reading(path, f"{path} does not hold the weights of {card.architecture}"):
            loaded = load_whole(module, read_checkpoint(path), card.architecture, options)
        if resolution and resolution != card.side and not any_size:
            resize_input(module, resolution)
        return module

    encoder, positions = sized_encoder(make, rule or "timm", side != card.side, any_size)
    tagged = name.partition("/")[2] if name.startswith("timm/") else ""
    published = bool(tagged) and is_published(tagged)
    if published and not seen and holds_imagenet(tagged):
        seen = IMAGENET
    return Source(
        name if not expanded(name).is_dir() else folder.name,
        canonical_spec("hf-hub", card.architecture, options, registered_code(card.architecture)),
        encoder,
        config_transform(card.config, side),  # type: ignore[arg-type]
        pretrained_on=seen,
        positions=positions,
        notes=loaded.notes,
        identities=(f"timm:{tagged}",) if published and not given else (),
    )


def read_hub_card(folder: Path) -> HubCard:
    """Reads timm's `config.json`.

    Raises:
        DataError: If it is not one of timm.
        InputError: If timm has no such architecture, or an option of it is not accepted.
    """
    path = folder / CONFIG
    fix = "A model of transformers is hf:OWNER/NAME; timm.models.push_to_hf_hub writes this file."
    with reading(path, f"{path} is not the configuration of a model of timm", fix):
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"it has {path.stat().st_size:,} bytes")
        given = json.loads(path.read_text(encoding="utf-8"))
        architecture = str(given["architecture"])
        beside: Mapping[str, Any] = given.get("pretrained_cfg") or given  # as older ones have it
        config = {key: beside[key] for key in _OF_NETWORK | _OF_IMAGES if key in beside}
        config.setdefault("input_size", (3, _SIDE, _SIDE))  # timm takes no empty configuration
        arguments = dict(given.get("model_args") or {})
        arguments.pop("num_classes", None)  # the classifier is left out
        options = {key: _option(value) for key, value in arguments.items()}
        card = HubCard(architecture, options, config)
        check_options(architecture, options | {"img_size": card.side})
        config_transform(config, card.side)  # of values that cannot be
    check_architecture(architecture)
    return card


def _option(value: Any) -> Option:
    plain = tuple(value) if isinstance(value, list) else value
    if not isinstance(plain, str | int | float | tuple | None):
        raise ValueError(f"{value} is no option")
    return plain


def _whole_file(folder: Path) -> Path:
    path = weights_file(folder)
    assert path is not None  # the folder was checked
    if path.suffix == ".json":
        raise DataError(f"{folder} holds weights in several files", "Join them into one file.")
    return path


TIMM_HUB = Library(
    "hf-hub:OWNER/NAME|FOLDER",
    "weights for a network of timm, with timm's config.json; options follow, as init_values=1e-5",
    check,
    open_model,
)
