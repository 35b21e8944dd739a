"""Checkpoints of the metric-learning code of Roth et al. and what was built on it.

Roth et al. (ICML 2020, arXiv:2002.08473), DIML (Zhao et al., ICCV 2021, arXiv:2108.05889) and
SSL-ViT (Bhattacharyya et al., ICASSP 2022, arXiv:2201.08951) save a network whose backbone is
`model.*` with a linear layer `model.last_linear` to the embedding, and the options of the training
in the file (`opt`) or beside it (`Parameter_Info.txt`). A ResNet's blocks stand in the file twice,
as `model.layer1` … and as `layer_blocks.0` ….
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from lowlabel.datasets import IMAGENET
from lowlabel.errors import DataError
from lowlabel.features.models.checkpoints.card import Card
from lowlabel.features.models.checkpoints.checkpoint import Checkpoint
from lowlabel.features.models.checkpoints.recognition import recognise
from lowlabel.features.models.checkpoints.state_dicts import Level
from lowlabel.features.models.checkpoints.weights_file import Tensors
from lowlabel.features.models.embedding_head import HEAD_PREFIX, HeadShape
from lowlabel.features.transforms import ImageTransform
from lowlabel.specs import format_spec

_LINEAR = "last_linear."
_OPTIONS_NAME = "Parameter_Info.txt"
_DATASETS = {"cub200": "cub", "cars196": "cars", "online_products": "sop"}
_BASES = {  # by what their `arch` contains
    "dino": "timm:vit_small_patch16_224.dino",
    "vits": "timm:vit_small_patch16_224.augreg_in21k_ft_in1k",
    "resnet50": "timm:resnet50.tv_in1k",
}
_TRANSFORM = ImageTransform(256, 224, "bilinear")


def metric_learning(checkpoint: Checkpoint, wanted: bool) -> tuple[Checkpoint, Card] | None:
    """The network of such a file with its embedding head, and a card for it.

    Args:
        checkpoint: The file.
        wanted: Whether the embedding was asked for: a file without options is then taken for one
            of these too.

    Returns:
        The checkpoint by the names of a tuned model; None if the file is another.

    Raises:
        DataError: If the head has another size than the options say.
        InputError: If its network is not recognised.
    """
    every = checkpoint.levels[0].tensors
    name = next((n for n in every if re.search(r"(^|\.)model\.last_linear\.weight$", n)), None)
    if name is None:
        return None
    options = {**_options_beside(checkpoint), **checkpoint.arguments}
    if "embed_dim" not in options and not wanted:
        return None  # the classifier of a network that has this name
    dimension, width = every[name].shape
    if int(options.get("embed_dim", dimension)) != dimension:
        raise DataError(
            f"{checkpoint.path} holds another embedding head than its options say: "
            f"embed_dim={options['embed_dim']}, and last_linear gives {dimension} of {width}",
            f"Take its backbone alone: --model {checkpoint.path}:head=none",
        )
    network = _network(every, name.removesuffix(_LINEAR + "weight"))
    found = replace(checkpoint, levels=(network,))
    return found, _card(found, dimension, options)


def _network(every: Tensors, prefix: str) -> Level:
    """The backbone and the head; the blocks that stand in the file twice are taken once."""
    inside, beside = {}, []
    for name, tensor in every.items():
        below = name.removeprefix(prefix)
        if name.startswith(prefix + _LINEAR):
            inside[f"{HEAD_PREFIX}layers.0.{below.removeprefix(_LINEAR)}"] = tensor
        elif name.startswith(prefix):
            inside[below] = tensor
        elif not _is_twin(name, tensor, every, prefix):
            beside.append(name)
    return Level(prefix, inside, tuple(beside))


def _is_twin(name: str, tensor: torch.Tensor, every: Tensors, prefix: str) -> bool:
    """Whether a tensor of `layer_blocks` is one of the network's."""
    match = re.search(r"(^|\.)layer_blocks\.(\d+)\.(.+)$", name)
    other = every.get(f"{prefix}layer{int(match[2]) + 1}.{match[3]}") if match else None
    if other is None or other.shape != tensor.shape:
        return False
    return tensor.is_meta or torch.equal(tensor, other)


def _card(checkpoint: Checkpoint, dimension: int, options: Mapping[str, Any]) -> Card:
    arch, names = str(options.get("arch", "")), checkpoint.tensors
    if "layer4.2.conv3.weight" in names and "layer3.6.conv1.weight" not in names:
        architecture, pooling = "resnet50", "head"
    else:
        recognised = recognise(checkpoint)
        architecture = format_spec(recognised.architecture, recognised.options)
        pooling = "cls"
    dataset = str(options.get("dataset", ""))
    known = _DATASETS.get(dataset)
    tuning = {
        "base_model": next((base for key, base in _BASES.items() if key in arch), arch),
        "tuned": "all",
        "loss": str(options.get("loss", "")),
        "miner": str(options.get("batch_mining", "")),
        "dataset": f"{known}:dml-zeroshot" if known else dataset,
        "pooling": pooling,
        "layers": 1,
        "dimension": dimension,
        "chosen": "on the test classes",
    }
    shape = HeadShape(1, dimension, "normalize" in arch, pooling)
    seen = None if str(options.get("not_pretrained", False)) == "True" else IMAGENET
    return Card(architecture, _TRANSFORM.crop, _TRANSFORM, shape, "", seen, tuning)


def _options_beside(checkpoint: Checkpoint) -> dict[str, str]:
    """The options in the text file that the training writes: a name, then its value indented."""
    path = checkpoint.path.parent / _OPTIONS_NAME
    if not path.is_file():
        return {}
    text = path.read_text(encoding="utf-8", errors="replace")
    return dict(re.findall(r"^(\w+)\n\t([^\n]*)$", text, re.MULTILINE))
