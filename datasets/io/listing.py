"""Lists the image files below a folder, and counts what is not taken."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from PIL import features

from lowlabel.errors import DataError, number_of

BROKEN_LINK, LOOP = "broken link", "link to a folder that is listed elsewhere"
NO_SUFFIX = "no suffix"
EMPTY_CLASSES = "class folders without an image"
UNSCORED_CLASSES = "classes without an image in the evaluated part"
_ALWAYS = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".gif", ".bmp", ".dib", ".tga"),
    *(".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm"),
)
_WITH_CODEC = {".webp": "webp", ".avif": "avif", ".jp2": "jpg_2000", ".j2k": "jpg_2000"}
_HIDDEN = frozenset(
    {"__macosx", "thumbs.db", "desktop.ini", "@eadir", "$recycle.bin", "lost+found"}
    | {"system volume information", "ehthumbs.db", "#recycle", "__pycache__"}
)
_FileId = tuple[int, int]


@cache
def image_suffixes() -> frozenset[str]:
    """Suffixes of the image files that are listed: what classes come in and Pillow can read."""
    known = {**features.modules, **features.codecs}
    readable = (s for s, codec in _WITH_CODEC.items() if codec in known and features.check(codec))
    return frozenset((*_ALWAYS, *readable))


def is_hidden(name: str) -> bool:
    """Whether a file or folder is hidden or belongs to a system, such as `.x` or `__MACOSX`."""
    return name.startswith(".") or name.lower() in _HIDDEN


def folders_in(top: Path) -> list[str]:
    """Names of the folders in `top`, sorted; links are followed and hidden ones left out."""
    return sorted(entry.name for entry in _visible(str(top)) if _is_dir(entry))


def files_in(top: Path) -> frozenset[str]:
    """Names of the files in `top`, links to files among them; empty if there is no such folder."""
    if not os.path.isdir(top):  # noqa: PTH112 (also for a path that is too long for the system)
        return frozenset()
    return frozenset(entry.name for entry in _entries(str(top)) if _is_file(entry))


def holds_image(folder: Path) -> bool:
    """Whether there is an image at any depth below `folder`."""
    suffixes = image_suffixes()
    if any(Path(e.name).suffix.lower() in suffixes for e in _visible(str(folder)) if _is_file(e)):
        return True
    return bool(list_images(folder).images)


def most_first(files: Mapping[str, int]) -> str:
    """Such as "12 .txt, 2 .mp4"; empty for no files."""
    kinds = sorted(files.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count:,} {kind}" for kind, count in kinds)


def shown_counts(left_out: Mapping[str, int]) -> str:
    """Such as "14 files are not taken: 12 .txt, 2 .mp4"; empty if nothing was left out."""
    classes = {k: left_out[k] for k in (EMPTY_CLASSES, UNSCORED_CLASSES) if left_out.get(k)}
    files = {kind: count for kind, count in left_out.items() if kind not in classes}
    total = sum(files.values())
    verb = "is" if total == 1 else "are"
    notes = [f"{number_of(total, 'files')} {verb} not taken: {most_first(files)}"] if files else []
    return "; ".join((*notes, *(f"{count:,} {kind}" for kind, count in classes.items())))


@dataclass
class Listing:
    """The files below a folder.

    Attributes:
        images: Paths of the images relative to the folder, with forward slashes, sorted.
        left_out: Number of the other files by suffix, and of links that are not followed.
    """

    images: list[str] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


def list_images(top: Path) -> Listing:
    """Lists the images at any depth below `top`.

    Links to files and folders are followed. Within one folder of `top`, each folder is listed
    once: a link to a folder above it, or to one inside `top`, is counted and not followed.

    Raises:
        DataError: If a folder cannot be read.
    """
    listing = Listing()
    root = os.path.realpath(top)
    above = {_id_of(folder) for folder in (root, *map(str, Path(root).parents))}
    for name, entry in _sorted(str(top)):
        if not _is_dir(entry):
            _take(entry, name, listing)
        elif (place := _id_of(entry.path)) in above:
            listing.left_out[LOOP] += 1
        else:
            _walk(entry.path, name, root, {*above, place}, listing)
    listing.images.sort()
    return listing


def _walk(folder: str, prefix: str, root: str, seen: set[_FileId], listing: Listing) -> None:
    """Lists `folder`, which is in `seen`, under the relative path `prefix`."""
    for name, entry in _sorted(folder):
        path = f"{prefix}/{name}"
        if not _is_dir(entry):
            _take(entry, path, listing)
        elif (place := _id_of(entry.path)) in seen or _leads_inside(entry, root):
            listing.left_out[LOOP] += 1
        else:
            seen.add(place)
            _walk(entry.path, path, root, seen, listing)


def _leads_inside(entry: os.DirEntry[str], root: str) -> bool:
    """Whether a link leads to a folder that is listed under its own path."""
    return entry.is_symlink() and Path(os.path.realpath(entry.path)).is_relative_to(root)


def _take(entry: os.DirEntry[str], path: str, listing: Listing) -> None:
    _, dot, ending = entry.name.rpartition(".")
    suffix = dot + ending.lower() if dot else NO_SUFFIX
    if not _is_file(entry):
        listing.left_out[BROKEN_LINK if entry.is_symlink() else suffix] += 1
    elif suffix in image_suffixes():
        listing.images.append(path)
    else:
        listing.left_out[suffix] += 1


def _sorted(folder: str) -> list[tuple[str, os.DirEntry[str]]]:
    """The visible entries, what is no link first: a folder is listed under its own path."""
    entries = sorted(_visible(folder), key=lambda entry: (entry.is_symlink(), entry.name))
    return [(entry.name, entry) for entry in entries]


def _visible(folder: str) -> Iterator[os.DirEntry[str]]:
    return (entry for entry in _entries(folder) if not is_hidden(entry.name))


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError as error:
        raise DataError(
            f"cannot list the folder {folder}: {error.strerror or error}",
            "Check the path, its permissions and that its disk is mounted.",
        ) from error


def _is_dir(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False


def _id_of(folder: str) -> _FileId:
    status = Path(folder).stat()
    return status.st_dev, status.st_ino
