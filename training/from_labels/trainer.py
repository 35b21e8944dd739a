"""Trains a classifier on labelled images and scores test images with it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from lowlabel.datasets import ImageSet
from lowlabel.datasets.io.pixels import with_refusal
from lowlabel.errors import DataError, InputError
from lowlabel.features.models.architectures import protocol_transform
from lowlabel.features.transforms import ImageTransform
from lowlabel.fields import encode
from lowlabel.processes.cores import usable_cores
from lowlabel.training.engine.batches import BatchOrder, batch_loader
from lowlabel.training.engine.monitor import TrainingError
from lowlabel.training.engine.schedules import warmup_cosine
from lowlabel.training.from_labels.networks import build_network, resolve_network
from lowlabel.training.from_labels.recipe import LabelRecipe, parse_label_recipe
from lowlabel.training.views.dataset import Sample, ViewDataset
from lowlabel.training.views.device_views import DrawnImages, device_views
from lowlabel.training.views.recipe import SingleView

_BATCH = 128  # test images at a time
_LONGEST_WARMUP = 0.1  # of the training


def make_label_trainer(spec: str, workers: int = 0) -> "LabelTrainer":
    """The trainer of `ARCH[,option=value…]`.

    Raises:
        UnknownNameError: If neither timm nor torchvision has the network.
        InputError: If an option is not possible.
    """
    recipe = parse_label_recipe(spec)
    recipe = replace(recipe, architecture=resolve_network(recipe.architecture))
    build_network(recipe, 2)
    return LabelTrainer(recipe, workers)


@dataclass(frozen=True)
class LabelTrainer:
    """Trains a network from scratch.

    Attributes:
        recipe: How.
        workers: Processes and threads that load images; at most as many processes as cores.
    """

    recipe: LabelRecipe
    workers: int = 0

    @property
    def spec(self) -> str:
        """The network with every option."""
        return self.recipe.spec

    @property
    def resolution(self) -> int:
        """Side of the images in pixels."""
        return self.recipe.resolution

    @cached_property
    def transform(self) -> ImageTransform:
        """Preprocessing of test images: Resize(256) → CenterCrop(224), scaled."""
        return protocol_transform(self.recipe.resolution)

    @property
    def preprocessing(self) -> dict[str, object]:
        """The preprocessing as JSON holds it."""
        return dict(encode(self.transform))

    def scores(
        self,
        train: ImageSet,
        classes: NDArray[np.int64],
        test: ImageSet,
        number: int,
        seed: int,
        device: torch.device,
    ) -> Tensor:
        """Trains on labelled images and scores all test images.

        Args:
            train: The labelled images.
            classes: Their classes, each of 0 … C-1 at least once, [n].
            test: The test images.
            number: Number of classes C.
            seed: Random seed of weights, order and views.
            device: Device to compute on.

        Returns:
            Logits float32 [M, C] on the device.

        Raises:
            InputError: If there are fewer than two images.
            TrainingError: If the loss is no longer finite.
        """
        with torch.inference_mode(False), torch.enable_grad():
            network = self._trained(train, classes, number, seed, device)
        return self._logits(network, test, device)

    def _trained(
        self,
        train: ImageSet,
        classes: NDArray[np.int64],
        number: int,
        seed: int,
        device: torch.device,
    ) -> nn.Module:
        recipe = self.recipe
        if len(train) < 2:
            raise InputError(f"{len(train)} labelled image is too little to train a network on")
        order = BatchOrder(len(train), min(recipe.batch_size, len(train)), seed)
        steps = recipe.epochs * order.steps_per_epoch
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(seed)
            network = build_network(recipe, number).to(device)
            parameters = [*network.parameters()]
            optimizer = torch.optim.AdamW(
                parameters, lr=recipe.lr, weight_decay=recipe.weight_decay, fused=True
            )
            targets = torch.from_numpy(classes.copy()).to(device)
            views = self._views(train, order, seed, steps, device)
            for rate, (view, rows) in zip(self._rates(steps, order), views, strict=True):
                for group in optimizer.param_groups:
                    group["lr"] = rate
                loss = cross_entropy(network(view), targets[rows])
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                norm = nn.utils.clip_grad_norm_(parameters, recipe.clip)
                optimizer.step()
        if not bool(norm.isfinite()):
            raise TrainingError(
                f"the training of {recipe.architecture} on {len(train)} images diverged",
                f"Lower its rate: --model scratch:{recipe.architecture},lr={recipe.lr / 10:g}",
            )
        return network

    def _rates(self, steps: int, order: BatchOrder) -> list[float]:
        warm = min(self.recipe.warmup_epochs * order.steps_per_epoch, int(steps * _LONGEST_WARMUP))
        rates = warmup_cosine(self.recipe.lr, 0.0, steps, warm, self.recipe.lr / max(warm, 1))
        return [float(rate) for rate in rates]

    def _views(
        self, train: ImageSet, order: BatchOrder, seed: int, steps: int, device: torch.device
    ) -> Iterator[tuple[Tensor, list[int]]]:
        """Yields the views [B, 3, h, w] and the rows of each step."""
        side, drawn = self.recipe.resolution, device.type == "cuda"
        view = SingleView(global_size=side, global_scale=(self.recipe.smallest_crop, 1.0))
        dataset = ViewDataset(train, view, seed, only_drawn=drawn)
        processes = min(self.workers, usable_cores())
        for batch in batch_loader(dataset, order, 0, steps, processes, drawn):
            if batch.unreadable:
                raise _unreadable(train, batch.unreadable[0])
            yield self._normalised(batch, view, device), list(batch.rows)

    def _normalised(
        self, batch: Sample | DrawnImages, view: SingleView, device: torch.device
    ) -> Tensor:
        if isinstance(batch, DrawnImages):
            pixels = device_views(batch, device, view.interpolation)[0]
        else:
            pixels = batch.views[0].to(device)
        return self.transform.normalise(pixels.permute(0, 2, 3, 1), torch.float32).contiguous()

    def _logits(self, network: nn.Module, test: ImageSet, device: torch.device) -> Tensor:
        network.eval()
        found: list[Tensor] = []
        with torch.inference_mode(), ThreadPoolExecutor(max(self.workers, 1)) as pool:
            for first in range(0, len(test), _BATCH):
                rows = range(first, min(first + _BATCH, len(test)))
                pixels = np.stack([*pool.map(lambda row: self._read(test, row), rows)])
                images = torch.from_numpy(pixels).to(device)
                view = self.transform.normalise(images, torch.float32).contiguous()
                found.append(network(view).float())
        return torch.cat(found)

    def _read(self, test: ImageSet, row: int) -> NDArray[np.uint8]:
        try:
            return self.transform.read(test.root / test.paths[row])
        except (OSError, ValueError, SyntaxError) as error:
            raise _unreadable(test, row) from error


def _unreadable(images: ImageSet, row: int) -> DataError:
    named = with_refusal(images.root, images.paths[row])
    return DataError(
        f"an image of {images.dataset} {images.part} cannot be read: {images.root / named}",
        "Fix or remove it: a network that is trained from labels leaves no image out.",
    )
