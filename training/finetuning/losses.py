"""Metric-learning losses by name: four with published settings, and each of the library's."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from lowlabel.errors import InputError
from lowlabel.specs import Option, format_spec, parse_spec
from lowlabel.training.finetuning.library import (
    REFUSALS,
    check_name,
    library_losses,
    library_miners,
    make,
    refused,
)
from lowlabel.training.finetuning.proxy_nca import ProxyNCA

NO_MINER = "none"
_OWN: dict[str, type[nn.Module]] = {"ProxyNCA": ProxyNCA}


@dataclass(frozen=True)
class NamedLoss:
    """A loss with the settings of the table that it stands for.

    Attributes:
        loss: Class of pytorch-metric-learning, or "ProxyNCA".
        options: Options that differ from the class's defaults.
        per_class: Whether the loss has a parameter for each class, which the class leaves out
            unless it is told their number.
        miner: Spec of the miner; empty for none.
    """

    loss: str
    options: Mapping[str, Option] = field(default_factory=dict)
    per_class: bool = False
    miner: str = ""


NAMED_LOSSES = {
    "margin": NamedLoss(
        "MarginLoss",
        {"margin": 0.2, "beta": 1.2, "learn_beta": True},
        per_class=True,
        miner="DistanceWeightedMiner,cutoff=0.5,nonzero_loss_cutoff=1.4",
    ),
    "proxy-nca": NamedLoss("ProxyNCA", {"scale": 3.0}),
    "multi-similarity": NamedLoss(
        "MultiSimilarityLoss",
        {"alpha": 2, "beta": 40, "base": 0.5, "reducer": "AvgNonZeroReducer"},
        miner="MultiSimilarityMiner,epsilon=0.1",
    ),
    "proxy-anchor": NamedLoss("ProxyAnchorLoss", {"margin": 0.1, "alpha": 32}),
}


class MetricLoss(nn.Module):
    """A loss with its miner. Its parameters are proxies or margins; some losses have none.

    Args:
        loss: Module of (embeddings, labels) or, with a miner, (embeddings, labels, indices).
        miner: Chooses pairs or triplets of a batch; None for all. It runs on the CPU: the library
            draws triplets class by class, with a dozen waits for a GPU in each, and so the draws
            are the same on every device.
    """

    def __init__(self, loss: nn.Module, miner: nn.Module | None = None) -> None:
        super().__init__()
        self.loss, self.miner = loss, miner

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The scalar loss of embeddings [B, D] with integer labels [B], computed in float32.

        It is NaN if an embedding is not finite, which miners refuse and some losses take for 0.
        """
        embeddings = embeddings.float()
        with torch.autocast(embeddings.device.type, enabled=False):
            mined: list[tuple[Tensor, ...]] = []
            if self.miner is not None:
                seen = embeddings.detach().cpu()
                if not seen.isfinite().all():
                    return embeddings.sum() * torch.nan
                chosen = self.miner(seen, labels.cpu())
                mined = [tuple(index.to(embeddings.device) for index in chosen)]
            value = self.loss(embeddings, labels, *mined)
            if not (isinstance(value, Tensor) and value.ndim == 0):
                raise TypeError(f"it gives {type(value).__name__}, not one number")
            return value.where(embeddings.isfinite().all(), torch.nan)


def build_loss(spec: str, classes: int, dimension: int, miner: str = "") -> MetricLoss:
    """Makes a loss; its proxies are drawn from torch's generator.

    Args:
        spec: A name in `NAMED_LOSSES` or a loss class of pytorch-metric-learning, with
            ,option=value… of the class. `distance` and `reducer` take the name of a class.
        classes: Number of classes.
        dimension: Dimension of the embeddings.
        miner: A miner class of pytorch-metric-learning with its options; "none" for none, empty
            for the loss's own.

    Raises:
        UnknownNameError: If there is no such loss, miner or option.
        InputError: If a value is not possible, or the loss cannot be computed on a batch.
        UserError: If pytorch-metric-learning is needed and not installed.
    """
    name, options = parse_spec(spec)
    named = NAMED_LOSSES.get(name)
    sizes = {"num_classes": classes, "embedding_size": dimension, "descriptors_dim": dimension}
    for option, size in sizes.items():
        if options.get(option, size) != size:
            raise InputError(
                f"the loss {spec} is not possible: {option} is {size} here, by the classes and "
                "the embedding head",
                f"Leave {option} out.",
            )
    if named is None:
        loss = make("loss", library_losses(), name, options, sizes, [*NAMED_LOSSES])
    else:
        known = _OWN if named.loss in _OWN else library_losses()
        per_class: dict[str, Option] = {"num_classes": classes} if named.per_class else {}
        options = {**named.options, **options}
        loss = make("loss", known, named.loss, {**options, **per_class}, sizes)
    chosen = miner or (named.miner if named else "")
    made = MetricLoss(loss, None if chosen in ("", NO_MINER) else build_miner(chosen))
    _try_once(made, format_spec(name, options), min(classes, 4), dimension)
    return made


def check_loss(spec: str) -> None:
    """Raises an error if there is no such loss, or it cannot be used; nothing is made."""
    name, _ = parse_spec(spec)
    if name not in NAMED_LOSSES:
        check_name("loss", library_losses(), name, [*NAMED_LOSSES])


def build_miner(spec: str) -> nn.Module:
    """Makes a miner from its class's name, with ,option=value… of the class."""
    name, options = parse_spec(spec)
    return make("miner", library_miners(), name, options, {})


def full_spec(spec: str, miner: str = "") -> tuple[str, str]:
    """The specs of a loss and its miner with the settings that a name stands for, for records."""
    name, options = parse_spec(spec)
    named = NAMED_LOSSES.get(name)
    shown = format_spec(name, {**named.options, **options} if named else options)
    return shown, miner or (named.miner if named else "") or NO_MINER


def needs_pairs(loss: MetricLoss, classes: int, dimension: int) -> bool:
    """Whether a loss has no gradient on a batch with one image of each class."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        labels = torch.arange(min(classes, 4))
        embeddings = torch.randn(len(labels), dimension, requires_grad=True)
        found = loss(embeddings, labels)
        if not found.requires_grad:
            return True
        (gradient,) = torch.autograd.grad(found, embeddings, allow_unused=True)
    return gradient is None or not gradient.any()


def _try_once(loss: MetricLoss, spec: str, classes: int, dimension: int) -> None:
    """Computes the loss of a random batch, so that impossible options are an error at once."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        labels = torch.arange(classes).repeat_interleave(2)
        embeddings = torch.randn(len(labels), dimension)
        try:
            loss(embeddings, labels)
        except REFUSALS as error:
            raise refused("loss", spec, error) from error
