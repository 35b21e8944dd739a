"""Published files of arrays made into image files in class folders."""

import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lowlabel.errors import DataError
from lowlabel.progress import Progress

Pixels = NDArray[np.uint8]
_PNG = b"\x89PNG\r\n\x1a\n"


def write_images(
    folder: Path,
    images: Iterable[bytes | Pixels],
    labels: Sequence[int],
    names: Sequence[str],
    progress: Progress | None = None,
) -> None:
    """Writes `folder/NAME/NUMBER.png`, where the number is the image's place in its file.

    Args:
        folder: A folder that is made if need be.
        images: PNG files' bytes, or uint8 [H, W, 3] in RGB.
        labels: Index into `names` of each image.
        names: The classes' names.
        progress: Called with (images done, images in all).

    Raises:
        DataError: If images and labels differ in number, or one is no image.
    """
    if not all(0 <= label < len(names) for label in labels):
        raise DataError(f"{folder.name} has labels outside its {len(names)} classes")
    folders = [folder / f"{label:03d} {_safe(name)}" for label, name in enumerate(names)]
    for label in sorted(set(labels)):
        folders[label].mkdir(parents=True, exist_ok=True)
    done = -1
    for done, image in enumerate(images):
        if done >= len(labels):
            break
        _write(image, folders[labels[done]] / f"{done:06d}.png")
        if progress:
            progress(done + 1, len(labels))
    if done + 1 != len(labels):
        raise DataError(
            f"{folder.name} has {len(labels):,} labels and another number of images",
            "Take both files of the part from one origin.",
        )


def npz_images(path: Path) -> Iterator[Pixels]:
    """Reads the array `images` of an `.npz`, uint8 [N, H, W, 3], one image at a time.

    Raises:
        DataError: If the file is damaged or holds anything else.
    """
    try:
        with zipfile.ZipFile(path) as archive, archive.open("images.npy") as file:
            count, *shape = _npy_shape(path, file)
            size = int(np.prod(shape))
            for _ in range(count):
                yield np.frombuffer(file.read(size), np.uint8).reshape(shape)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} holds no array of images: {error}") from error


def _npy_shape(path: Path, file: Any) -> tuple[int, ...]:
    header = np.lib.format.read_array_header_1_0
    if np.lib.format.read_magic(file) != (1, 0):
        header = np.lib.format.read_array_header_2_0
    shape, fortran, dtype = header(file)
    if dtype != np.uint8 or fortran or len(shape) != 4 or shape[-1] != 3:
        raise DataError(f"{path} holds images as {dtype} {shape}, not as uint8 [N, H, W, 3]")
    return shape


def _write(image: bytes | Pixels, path: Path) -> None:
    if isinstance(image, np.ndarray):
        Image.fromarray(image).save(path)
    elif image.startswith(_PNG):
        path.write_bytes(image)
    else:
        raise DataError(f"what should become {path.name} is no PNG image")


def _safe(name: str) -> str:
    """`name` as part of a folder's name, on any file system."""
    return re.sub(r"[^A-Za-z0-9 ._-]+", "_", name)[:80].strip(" .")
