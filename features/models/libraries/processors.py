"""The preprocessing of a model of Hugging Face transformers, from its image processor."""

from pathlib import Path
from typing import Any

from lowlabel.errors import DataError
from lowlabel.features.transforms import CropMode, ImageTransform, Size

_INTERPOLATIONS = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}  # Pillow's numbers
_CONVNEXT_SQUASHES = 384  # from this side on, its processor resizes both sides
_SIMILAR = 1e-6


def processor_transform(processor: Any, folder: Path) -> ImageTransform:
    """The transform that an image processor of transformers applies.

    The processor resizes tensors with torchvision, lowlabel resizes images with Pillow: values
    differ by rounding, mostly by at most 1 of 255.

    Args:
        processor: An image processor, as `AutoImageProcessor` gives it.
        folder: The model's folder, for messages.

    Raises:
        DataError: If it does what an `ImageTransform` cannot express.
    """
    name = type(processor).__name__
    _require_known_steps(processor, name, folder)
    if not processor.do_resize:
        raise _refused(folder, f"{name} keeps the size of images (do_resize is false)")
    if getattr(processor, "do_pad", None):
        raise _refused(folder, f"{name} pads images (do_pad)")
    if processor.resample not in _INTERPOLATIONS:
        raise _refused(folder, f"resample={processor.resample} of {name} is a filter of its own")
    resize, crop, mode = _geometry(processor, name, folder)
    mean, std = _colours(processor)
    return ImageTransform(
        resize, crop, _INTERPOLATIONS[int(processor.resample)], mean, std, crop_mode=mode
    )


def _require_known_steps(processor: Any, name: str, folder: Path) -> None:
    """Raises a `DataError` unless the steps of a processor are those that are read here."""
    from transformers.image_processing_backends import PilBackend, TorchvisionBackend

    if _is_convnext(name) or name.startswith("DINOv3ViTImageProcessor"):  # steps as below
        return
    bases: tuple[type, ...] = (TorchvisionBackend, PilBackend)
    base = next((each for each in bases if isinstance(processor, each)), None)
    steps = ("resize", "center_crop", "rescale_and_normalize", "normalize", "rescale")
    every = ("_preprocess", *(step for step in steps if hasattr(base, step)))
    changed = [s for s in every if getattr(type(processor), s) is not getattr(base, s, None)]
    if base is None or changed:
        raise _refused(folder, f"{name} has steps of its own ({', '.join(changed) or name})")


def _geometry(processor: Any, name: str, folder: Path) -> tuple[Size, Size, CropMode]:
    """Sides before and after the crop, and the kind of crop."""
    size, crop = processor.size, processor.crop_size if processor.do_center_crop else None
    shortest, longest = size.shortest_edge, size.longest_edge
    if longest or size.max_height or (not shortest and not (size.height and size.width)):
        raise _refused(folder, f"{_shown(size)} of {name} keeps the aspect ratio")
    if _is_convnext(name):
        if not shortest or crop:
            raise _refused(folder, f"{name} has {_shown(size)} and a further crop")
        if shortest >= _CONVNEXT_SQUASHES:
            return shortest, shortest, "squash"
        return int(shortest / processor.crop_pct), shortest, "floor"
    if shortest:
        if crop is None:
            raise _refused(folder, f"{name} has {_shown(size)} and no crop, so sizes vary")
        return shortest, _side(crop.height, crop.width), "floor"
    whole = _side(size.height, size.width)
    if crop is None or (crop.height, crop.width) == (size.height, size.width):
        return whole, whole, "squash"
    if any((a - b) % 2 for a, b in ((size.height, crop.height), (size.width, crop.width))):
        raise _refused(folder, f"the crop of {name} has odd margins in {whole} pixels")
    return whole, _side(crop.height, crop.width), "squash"


def _colours(processor: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of values in [0, 1] that stand for rescaling and normalising."""
    scale = float(processor.rescale_factor) * 255 if processor.do_rescale else 255.0
    scale = 1.0 if abs(scale - 1) < _SIMILAR else scale
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    if processor.do_normalize:
        mean, std = _channels(processor.image_mean), _channels(processor.image_std)
    return tuple(v / scale for v in mean), tuple(v / scale for v in std)


def _channels(values: Any) -> tuple[float, ...]:
    every = [values] if isinstance(values, int | float) else list(values)
    return tuple(map(float, every * 3 if len(every) == 1 else every))


def _is_convnext(name: str) -> bool:
    return name.startswith("ConvNextImageProcessor")


def _shown(size: Any) -> str:
    return ", ".join(f"{key}={value}" for key, value in dict(size).items() if value)


def _side(height: int, width: int) -> Size:
    return height if height == width else (height, width)


def _refused(folder: Path, why: str) -> DataError:
    return DataError(
        f"the preprocessing in {folder / 'preprocessor_config.json'} cannot be repeated here: "
        f"{why}",
        "lowlabel resizes images to one size, crops the centre, and normalises. Change the file "
        "to such a preprocessing, or bring the model as python:FILE.py:FUNCTION.",
    )
