"""Turns published array files into image files in class folders."""

import math
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lowlabel.errors import DataError
from lowlabel.npz import read_npy_header
from lowlabel.progress import Progress
from lowlabel.reading import reading, require_room

Pixels = NDArray[np.uint8]
_SUFFIXES = {b"\x89PNG\r\n\x1a\n": ".png", b"\xff\xd8\xff": ".jpg"}
_REFETCH = "Fetch all files of the part again from one place."


def write_images(
    folder: Path,
    images: Iterable[bytes | Pixels],
    labels: Sequence[int],
    names: Sequence[str],
    progress: Progress | None = None,
) -> None:
    """Writes `folder/LABEL NAME/INDEX.png`, where INDEX is the position of the image in `images`.

    Args:
        folder: Where to write; created if it does not exist.
        images: Bytes of PNG or JPEG files, or uint8 [H, W, 3] in RGB.
        labels: Index into `names` of each image.
        names: Names of the classes.
        progress: Called with (images done, all images).

    Raises:
        DataError: If the numbers of images and labels differ, a label has no name, or bytes are
            no PNG or JPEG file.
    """
    outside = [label for label in labels if not 0 <= label < len(names)]
    if outside:
        raise DataError(
            f"the {folder.name} part has {len(outside):,} labels outside its {len(names)} classes, "
            f"the first is {outside[0]}",
            _REFETCH,
        )
    folders = [folder / f"{label:03d} {_safe(name)}" for label, name in enumerate(names)]
    for label in sorted(set(labels)):
        folders[label].mkdir(parents=True, exist_ok=True)
    done = -1
    for done, image in enumerate(images):
        if done >= len(labels):
            break
        write_image(image, folders[labels[done]] / f"{done:06d}")
        if progress:
            progress(done + 1, len(labels))
    if done + 1 != len(labels):
        raise DataError(
            f"the {folder.name} part has {len(labels):,} labels and "
            + (f"only {done + 1:,} images" if done + 1 < len(labels) else "more images"),
            _REFETCH,
        )


def npz_images(path: Path) -> Iterator[Pixels]:
    """Reads the array `images` of an `.npz` file, uint8 [N, H, W, 3], one image at a time.

    Raises:
        DataError: If the file is damaged, or the array is missing or of another kind.
    """
    with (
        reading(path, f"{path} holds no readable array images", _REFETCH),
        zipfile.ZipFile(path) as archive,
        archive.open("images.npy") as file,
    ):
        count, *shape = _npy_shape(path, file)
        size = math.prod(shape)
        require_room(f"an image of {path}", size, path.stat().st_size, _REFETCH)
        for _ in range(count):
            yield np.frombuffer(file.read(size), np.uint8).reshape(shape)


def _npy_shape(path: Path, file: Any) -> tuple[int, ...]:
    shape, fortran, dtype = read_npy_header(file)
    if dtype != np.uint8 or fortran or len(shape) != 4 or shape[-1] != 3:
        raise DataError(
            f"{path} holds images as {dtype} {shape}, not as uint8 [N, H, W, 3]", _REFETCH
        )
    return shape


def write_image(image: bytes | Pixels, stem: Path) -> None:
    """Writes an array as PNG, or the bytes of a PNG or JPEG file unchanged.

    Args:
        image: uint8 [H, W, 3] in RGB, or bytes.
        stem: Path of the file without its suffix.

    Raises:
        DataError: If the bytes are no PNG or JPEG file.
    """
    if isinstance(image, np.ndarray):
        Image.fromarray(image).save(stem.with_name(f"{stem.name}.png"))
        return
    kinds = (suffix for start, suffix in _SUFFIXES.items() if bytes(image[:8]).startswith(start))
    suffix = next(kinds, None)
    if suffix is None:
        raise DataError(
            f"image {stem.name} of the {stem.parent.parent.name} part is not a PNG file or JPEG",
            _REFETCH,
        )
    stem.with_name(stem.name + suffix).write_bytes(image)


def _safe(name: str) -> str:
    """Makes `name` safe as part of a folder name on any file system."""
    return re.sub(r"[^A-Za-z0-9 ._-]+", "_", name)[:80].strip(" .")
