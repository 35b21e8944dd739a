"""Unpacks the user's archives into a checked folder under `$LOWLABEL_HOME/datasets`."""

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
from lowlabel.paths import (
    datasets_dir,
    file_sha256,
    temporary_beside,
    writable_dir,
    write_file,
)
from lowlabel.progress import Progress

CARD = "lowlabel.json"
_LIST_SUFFIXES = {".txt", ".mat"}


@dataclass(frozen=True)
class Card:
    """The provenance of a prepared dataset, kept beside it as JSON.

    Attributes:
        title: Name in tables; a subset may have its own.
        archive: File names of the archives, joined by " + ".
        archive_sha256: Their hashes, joined by " + "; empty for a folder.
    """

    title: str
    archive: str
    archive_sha256: str


def prepared_folder(dataset: Dataset) -> Path:
    """Returns the folder of a prepared dataset, whether it exists or not."""
    return datasets_dir() / dataset.folder_name


def read_card(dataset: Dataset) -> Card | None:
    """Reads the card of a prepared dataset; None for one that was put there by hand.

    Raises:
        DataError: If the card is damaged.
    """
    path = prepared_folder(dataset) / CARD
    if not path.is_file():
        return None
    try:
        return Card(**json.loads(path.read_text()))
    except (ValueError, TypeError) as error:
        raise DataError(
            f"{path} is damaged: {error}",
            f"Prepare it again: lowlabel prepare {dataset.name} --archive FILE",
        ) from error


def prepare(
    dataset: Dataset,
    *archives: Path,
    title: str | None = None,
    allow_partial: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Unpacks and checks archives; the prepared folder appears complete or not at all.

    Args:
        dataset: The dataset that the archives hold.
        archives: Zip or tar files in the published layout, unpacked into one folder. Lists
            (.txt, .mat) are copied there; folders that are already unpacked are linked.
        title: Name in tables; the dataset's own by default.
        allow_partial: Accept counts that differ from the full dataset's.
        progress: Called with (members done, all members).

    Returns:
        The prepared folder.

    Raises:
        DataError: If an archive is unsafe or damaged, or its layout or counts are not the
            dataset's.
    """
    if dataset.make is not None:
        raise DataError(
            f"{dataset.name} needs no archive: it is generated on first use",
            f"Run it as it is: lowlabel run --dataset {dataset.name}",
        )
    with _staged(prepared_folder(dataset)) as staging:
        for archive in archives:
            _put(archive, staging, progress)
        _convert(dataset, staging, progress)
        root = find_root(dataset, staging)
        for division in dataset.divisions:
            check_counts(dataset, division, root, allow_partial=allow_partial)
        names = " + ".join(archive.name for archive in archives)
        card = Card(title or dataset.title, names, " + ".join(map(_sha256, archives)))
        write_file(staging / CARD, json.dumps(asdict(card), indent=2) + "\n")
    return prepared_folder(dataset)


def _put(source: Path, folder: Path, progress: Progress | None) -> None:
    if source.is_dir():
        (folder / source.name).symlink_to(source.resolve(), target_is_directory=True)
    elif source.is_file() and source.suffix in _LIST_SUFFIXES:
        shutil.copyfile(source, folder / source.name)
    else:
        unpack(source, folder, progress)


def _convert(dataset: Dataset, folder: Path, progress: Progress | None) -> None:
    """Replaces an unpacked or linked distribution without image files by image files."""
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
    """Generates a dataset that needs no archive, unless it exists."""
    folder = prepared_folder(dataset)
    if dataset.make is None or folder.is_dir():
        return folder
    with _staged(folder) as staging:
        if not folder.is_dir():  # another process may have generated it in the meantime
            dataset.make(staging, progress)
    return folder


@contextmanager
def _staged(folder: Path) -> Iterator[Path]:
    """Yields an empty folder that becomes `folder` if the block fills it without an error."""
    writable_dir(folder.parent)
    staging, older = temporary_beside(folder), temporary_beside(folder)
    with FileLock(folder.with_name(f".{folder.name}.lock")):
        try:
            staging.mkdir()
            yield staging
            if any(staging.iterdir()):
                if folder.exists():
                    folder.replace(older)
                staging.replace(folder)
        except OSError as error:
            raise DataError(f"cannot write {folder}: {error.strerror or error}") from error
        finally:
            if older.exists() and not folder.exists():
                older.replace(folder)
            for path in (staging, older):
                shutil.rmtree(path, ignore_errors=True)


def _sha256(path: Path) -> str:
    return "" if path.is_dir() else file_sha256(path)
