"""`load_backbone` loads a model by the name that the command line uses."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import torch
from torch import nn

from lowlabel.datasets.io.pixels import Orientation, known_orientation
from lowlabel.devices import resolve_device
from lowlabel.errors import InputError, UserError
from lowlabel.features.framing import Framing, check_framing, frame, needs_any_size
from lowlabel.features.models.embedding_head import pooled_features
from lowlabel.features.models.encoders import Encoder
from lowlabel.features.models.source import Source
from lowlabel.features.models.sources import open_source
from lowlabel.features.pooling import check_pooling
from lowlabel.features.scales import embed_scales, whole_patches
from lowlabel.features.transforms import MOST_SIDE, ImageTransform, WholeImage
from lowlabel.features.views.random_view import RandomView
from lowlabel.precision import full_precision
from lowlabel.reading import DAMAGE, reason

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class Forward(Protocol):
    """Computes features [B, D] of decoded images uint8 [B, H, W, 3]."""

    name: str

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor: ...  # noqa: D102


@dataclass(frozen=True)
class Backbone:
    """A frozen model with its preprocessing.

    Attributes:
        name: Short name.
        spec: Canonical name without folders; the same spec and weights are the same model.
        encoder: The network, in evaluation mode on `device`.
        transform: Preprocessing from an image file to the network's input.
        pooling: "cls", "mean", "gem", two joined by "+", or "head" for the model's own features.
        dtype: Data type that the network computes in: "float32", "bfloat16" or "float16".
        weights_sha256: Hash of all parameters and buffers.
        device: Device of the network.
        pretrained_on: Name of a set of images that the pretraining data include, if known.
        positions: "dino" if position embeddings are resampled by DINO's rule; empty if they have
            their own size, and for timm's rule.
        notes: What was assumed, left out or resampled to load the weights.
        tuning: What a tuned model was tuned from, with and on; empty for others.
        epochs: Passes over the images that the pretraining had made, if the file says so.
        identities: Names of the published weights that it has, however it was loaded; see
            `lowlabel.features.models.identity`.
        label: What it is called in tables and progress; its name, if None.
        forward: What computes features in place of the encoder during an extraction; None for the
            encoder itself. See `lowlabel.features.engines`.
        converted: Such forward passes that were made, by pooling, height and width; shared by the
            backbones that differ in these alone.
    """

    name: str
    spec: str
    encoder: Encoder
    transform: ImageTransform | WholeImage | RandomView
    pooling: str
    dtype: str
    weights_sha256: str
    device: torch.device
    pretrained_on: str | None = None
    positions: str = ""
    notes: tuple[str, ...] = ()
    tuning: Mapping[str, Any] = field(default_factory=dict)
    epochs: float | None = None
    identities: tuple[str, ...] = ()
    label: str | None = None
    forward: Forward | None = None
    converted: dict[tuple[str, int, int], Forward] = field(
        default_factory=dict, compare=False, repr=False
    )

    @property
    def title(self) -> str:
        """What it is called."""
        return self.label or self.name

    @property
    def engine(self) -> str:
        """What computes features, for records; empty for torch."""
        return self.forward.name if self.forward else self.encoder.runtime

    def view(self, number: int, seed: int) -> "Backbone":
        """The model with a random view of each image instead of its centre crop.

        Raises:
            InputError: If the model embeds whole images.
        """
        if not isinstance(self.transform, ImageTransform):
            raise InputError(
                "views are random crops, and this framing keeps images whole",
                "Leave --framing and --multi-scale out, or the views.",
            )
        return replace(self, transform=RandomView.of(self.transform, number, seed))

    @torch.inference_mode()
    def embed(self, pixels: torch.Tensor) -> torch.Tensor:
        """Embeds decoded images.

        Args:
            pixels: uint8 [B, H, W, 3] on any device, as returned by `transform.read`.

        Returns:
            float32 [B, D] on the backbone's device.
        """
        if self.forward:
            return self._vectors(self.forward(pixels), len(pixels))
        images = self._normalised(pixels)
        if isinstance(self.transform, WholeImage):
            return embed_scales(images, self.transform.scales, self.encoder.patch, self._embed)
        return self._embed(images)

    def network_input(self, pixels: torch.Tensor) -> torch.Tensor:
        """Computes the images that the encoder sees, at scale 1.

        Whole images lose what is beyond whole patches at the right and the bottom.

        Args:
            pixels: As for `embed`.

        Returns:
            [B, 3, H, W].
        """
        images = self._normalised(pixels)
        if isinstance(self.transform, WholeImage):
            images = whole_patches(images, self.encoder.patch)
        return images.contiguous()

    def _normalised(self, pixels: torch.Tensor) -> torch.Tensor:
        pixels = pixels.to(self.device, non_blocking=True)
        return self.transform.normalise(pixels, DTYPES[self.dtype])

    def _embed(self, images: torch.Tensor) -> torch.Tensor:
        return self._vectors(self._pooled(images), len(images))

    def _vectors(self, features: torch.Tensor, rows: int) -> torch.Tensor:
        """The features in float32; an `InputError` unless each row has a vector of real numbers."""
        sized = features.ndim == 2 and features.shape[1] > 0
        if not sized or len(features) != rows or features.is_complex():
            raise InputError(
                f"{self.name} gives {list(features.shape)} {str(features.dtype)[6:]} for {rows} "
                "images, not features [B, D]",
                "A network must give each image a vector of real numbers, whatever the others are.",
            )
        return features.float()

    def _pooled(self, images: torch.Tensor) -> torch.Tensor:
        if is_convolutional(self.encoder):
            images = images.contiguous(memory_format=torch.channels_last)
        else:
            images = images.contiguous()
        with full_precision():
            return pooled_features(self.encoder, images, self.pooling)


def load_backbone(
    spec: str,
    *,
    pooling: str | None = None,
    resolution: int | None = None,
    framing: Framing = "crop",
    scales: Sequence[float] = (1.0,),
    orientation: Orientation = "stored",
    resize: int | None = None,
    interpolation: str | None = None,
    dtype: str = "float32",
    device: str | torch.device = "auto",
) -> Backbone:
    """Loads a model by name.

    Args:
        spec: An alias (`dino_vits16`), `timm:NAME[,option=value…]`, `hub:REPO:ENTRY`,
            `PATH.pth[:ARCH[,option=value…]]` (also .safetensors, or the folder of a trained model),
            `random:ARCH[,option=value…]`, `pixels`, or a model of another library
            (`features.models.libraries.catalogue`).
        pooling: See `Backbone`; the model's own by default.
        resolution: Side of square images, or limit of the longest side, in pixels; the model's
            own by default.
        framing: "crop" for Resize → CenterCrop, "square" for whole images resized to a square,
            "longest" for whole images with their aspect ratio.
        scales: Factors at which whole images are embedded; with several, the features are
            averaged and normalised to length 1.
        orientation: "stored" reads images as they are stored, as torchvision's and timm's loaders
            do; "exif" turns them by their EXIF orientation. Boxes are cropped before that.
        resize: Length of the shorter side before the centre crop, in pixels; the model's own by
            default.
        interpolation: "nearest", "bilinear", "bicubic" or "lanczos", all antialiased; the model's
            own by default, Lanczos for "longest".
        dtype: Data type that the network computes in.
        device: Device to compute on: "auto", "cpu", "cuda", "cuda:1".

    Raises:
        UnknownNameError: If the name, framing, interpolation or orientation is unknown.
        InputError: If an option does not fit the model.
        DataError: If weights are missing or damaged, or do not fit the architecture.
    """
    if pooling is not None:
        check_pooling(pooling)
    check_dtype(dtype)
    check_side("resolution", resolution)
    check_side("resize", resize)
    check_framing(framing, scales, resize, interpolation)
    known_orientation(orientation)
    source = open_source(spec, resolution, needs_any_size(framing, scales))
    transform = frame(
        source.transform, framing, scales, resolution, orientation, resize, interpolation
    )
    device = resolve_device(device)
    digest = weights_sha256(source.encoder)
    encoder = source.encoder.eval().requires_grad_(False).to(device, DTYPES[dtype])
    if is_convolutional(encoder):
        encoder = encoder.to(memory_format=torch.channels_last)
    backbone = Backbone(
        source.name,
        source.spec,
        encoder,
        transform,
        pooling or source.pooling or encoder.pooling,
        dtype,
        digest,
        device,
        source.pretrained_on,
        source.positions,
        source.notes,
        source.tuning,
        source.epochs,
        source.identities,
    )
    _try_once(backbone, source)
    return backbone


def check_dtype(dtype: str) -> None:
    """Raises an `InputError` unless networks can compute in the data type."""
    if dtype not in DTYPES:
        raise InputError(f"unknown dtype {dtype!r}", f"Known: {', '.join(DTYPES)}.")


def check_side(name: str, side: int | None) -> None:
    """Raises an `InputError` unless images can have the side."""
    if side is not None and side < 1:
        raise InputError(f"{name} must be at least 1 pixel, not {side}")
    if side is not None and side > MOST_SIDE // 2:
        raise InputError(f"{name} must be at most {MOST_SIDE // 2:,} pixels, not {side:,}")


def weights_sha256(module: nn.Module) -> str:
    """Hashes a module's parameters and buffers with their names, shapes and types."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        flat = tensor.detach().cpu().contiguous().flatten().view(torch.uint8)
        digest.update(flat.numpy().data)
    return digest.hexdigest()


def is_convolutional(module: nn.Module) -> bool:
    """Whether a module has convolutions besides a patch embedding, faster in channels_last."""
    return any(
        isinstance(layer, nn.Conv2d) and layer.stride != layer.kernel_size
        for layer in module.modules()
    )


def _try_once(backbone: Backbone, source: Source) -> None:
    """Embeds one blank image, so that an impossible size or pooling is an error at once."""
    height, width = backbone.transform.blank
    try:
        backbone.embed(torch.zeros(1, height, width, 3, dtype=torch.uint8))
    except UserError:
        raise
    except DAMAGE as error:
        cropped = isinstance(backbone.transform, ImageTransform)
        raise InputError(
            f"{source.name} cannot embed images of {width}×{height} pixels: {reason(error)}",
            "Choose another --resolution or --dtype, or set the model's img_size."
            if cropped
            else "If the model takes images of one size alone, leave --framing and --multi-scale "
            "out; else choose another --resolution or --dtype.",
        ) from error
