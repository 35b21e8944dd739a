"""From archives that the user has to a checked folder in the suite's home."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock

from lowlabel.datasets.base import Dataset
from lowlabel.datasets.counts import check_counts, find_root, folder_with
from lowlabel.datasets.io.archives import unpack
from lowlabel.errors import DataError
from lowlabel.paths import atomic_write, datasets_dir, file_sha256, writable_dir
from lowlabel.progress import Progress

CARD = "lowlabel.json"
_LISTS = {".txt", ".mat"}


@dataclass(frozen=True)
class Card:
    """What stands beside a prepared data set.

    Attributes:
        title: The honest name of what was prepared; a subset is not called by the full set's name.
        archive: The archives' file names, joined by " + ".
        archive_sha256: Their hashes, joined likewise; empty for a folder.
    """

    title: str
    archive: str
    archive_sha256: str


def prepared_folder(dataset: Dataset) -> Path:
    """Where a prepared data set lies, whether it is there or not."""
    return datasets_dir() / dataset.folder_name


def read_card(dataset: Dataset) -> Card | None:
    """The card of a prepared data set; None for one that was put there by hand."""
    path = prepared_folder(dataset) / CARD
    if not path.is_file():
        return None
    try:
        return Card(**json.loads(path.read_text()))
    except (ValueError, TypeError) as error:
        raise DataError(f"{path} is damaged: {error}", "Prepare the data set again.") from error


def prepare(
    dataset: Dataset,
    *archives: Path,
    title: str | None = None,
    allow_partial: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Unpacks and checks archives; the prepared folder appears whole or not at all.

    Args:
        dataset: The data set that the archives hold.
        archives: Zip or tar files in the data set's published layout, unpacked into one folder;
            a list that comes beside them (.txt, .mat) is copied there, and a folder that was
            unpacked already is linked.
        title: The name in tables; defaults to the data set's own.
        allow_partial: Accept other counts than the full set's.
        progress: Called with (members done, members in all).

    Returns:
        The prepared folder.

    Raises:
        DataError: If the archive is unsafe, damaged, of another layout, or of other counts.
    """
    if dataset.make is not None:
        raise DataError(f"{dataset.name} needs no archive: the suite makes it when it is used.")
    with _staged(prepared_folder(dataset)) as staging:
        for archive in archives:
            _put(archive, staging, progress)
        _convert(dataset, staging, progress)
        root = find_root(dataset, staging)
        for division in dataset.divisions:
            check_counts(dataset, division, root, allow_partial=allow_partial)
        names = " + ".join(archive.name for archive in archives)
        card = Card(title or dataset.title, names, " + ".join(map(_sha256, archives)))
        with atomic_write(staging / CARD) as path:
            path.write_text(json.dumps(asdict(card), indent=2) + "\n")
    return prepared_folder(dataset)


def _put(source: Path, folder: Path, progress: Progress | None) -> None:
    if source.is_dir():
        (folder / source.name).symlink_to(source.resolve(), target_is_directory=True)
    elif source.is_file() and source.suffix in _LISTS:
        shutil.copyfile(source, folder / source.name)
    else:
        unpack(source, folder, progress)


def _convert(dataset: Dataset, folder: Path, progress: Progress | None) -> None:
    """Replaces a distribution without image files, if that is what was unpacked or linked."""
    for conversion in dataset.conversions:
        if origin := folder_with(folder, conversion.is_of):
            replaced = list(folder.iterdir())
            target = folder / f"{dataset.name}-images"
            target.mkdir()
            conversion.write(origin, target, progress)
            for path in replaced:
                _remove(path)
            return


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def make(dataset: Dataset, progress: Progress | None = None) -> Path:
    """Writes a data set that the suite makes itself, unless it is there already."""
    folder = prepared_folder(dataset)
    if dataset.make is None or folder.is_dir():
        return folder
    with _staged(folder) as staging:
        if not folder.is_dir():  # another process may have made it meanwhile
            dataset.make(staging, progress)
    return folder


@contextmanager
def _staged(folder: Path) -> Iterator[Path]:
    """Gives an empty folder that becomes `folder` if the block fills it and ends well."""
    writable_dir(folder.parent)
    staging = folder.with_name(f".{folder.name}.partial")
    with FileLock(folder.with_name(f".{folder.name}.lock")):
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir()
        try:
            yield staging
            if any(staging.iterdir()):
                shutil.rmtree(folder, ignore_errors=True)
                staging.replace(folder)
        except OSError as error:
            raise DataError(f"cannot write {folder}: {error.strerror or error}") from error
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def _sha256(path: Path) -> str:
    return "" if path.is_dir() else file_sha256(path)
