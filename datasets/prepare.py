"""Unpacks the user's archives into a checked folder under `$LOWLABEL_HOME/datasets`."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from lowlabel.datasets.base import Dataset
from lowlabel.datasets.counts import check_divisions, find_root, folders_with
from lowlabel.datasets.io.archives import unpack
from lowlabel.datasets.io.staging import remove, staged
from lowlabel.errors import DataError
from lowlabel.paths import datasets_dir, file_sha256, write_file
from lowlabel.progress import Progress, progress_bar
from lowlabel.reading import reading

CARD = "lowlabel.json"
_FILES = {".txt", ".mat", ".csv", ".pkl", ".pickle", ".npz", ".parquet"}


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
    fix = f"Prepare it again: lowlabel prepare {dataset.name} --archive FILE"
    with reading(path, f"{path} is damaged", fix):
        facts = json.loads(path.read_text(encoding="utf-8"))
        if not all(isinstance(fact, str) for fact in facts.values()):
            raise ValueError("it holds other facts than texts")
        return Card(**facts)


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
            and files of arrays (.txt, .mat, .csv, .pkl, .npz, .parquet) are copied there; folders
            that are already unpacked are linked.
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
    for archive in archives:
        _check_source(archive, prepared_folder(dataset))
    with staged(prepared_folder(dataset)) as staging, _named_without(staging):
        for archive in sorted(archives, key=Path.is_dir):  # nothing is unpacked into a link
            _put(archive, staging, progress)
        _refuse_others(dataset, staging)
        _convert(dataset, staging, progress)
        root = find_root(dataset, staging)
        check_divisions(dataset, root, allow_partial=allow_partial)
        names = " + ".join(archive.name for archive in archives)
        card = Card(title or dataset.title, names, " + ".join(map(_sha256, archives)))
        write_file(staging / CARD, json.dumps(asdict(card), indent=2) + "\n")
    return prepared_folder(dataset)


@contextmanager
def _named_without(staging: Path) -> Iterator[None]:
    """Names what is in the archives by its path there: `staging` is gone when an error is read."""
    try:
        yield
    except DataError as error:
        message, hint = (
            text.replace(f"{staging}/", "").replace(str(staging), "the archive")
            for text in (error.message, error.hint)
        )
        raise DataError(message, hint) from error


def _put(source: Path, folder: Path, progress: Progress | None) -> None:
    """Links a folder, copies a list or a file of arrays, or unpacks an archive."""
    target = folder / (source.resolve() if source.is_dir() else source).name
    is_copied = source.is_file() and source.suffix.lower() in _FILES
    if (source.is_dir() or is_copied) and target.exists():
        raise DataError(
            f"{source} and another --archive both give {target.name}",
            "Put all files into one folder, and give that.",
        )
    if source.is_dir():
        target.symlink_to(source.resolve(), target_is_directory=True)
    elif is_copied:
        shutil.copyfile(source, target)
    else:
        unpack(source, folder, progress)


def _check_source(source: Path, prepared: Path) -> None:
    """Refuses what lies in the folder that is about to be replaced."""
    if not prepared.is_symlink() and source.resolve().is_relative_to(prepared.resolve()):
        raise DataError(
            f"{source} lies in the prepared folder {prepared}, which prepare replaces",
            "Give the original archive, or move the files elsewhere first.",
        )


def _refuse_others(dataset: Dataset, folder: Path) -> None:
    for other in dataset.others:
        if found := folders_with(folder, other.is_in):
            where = found[0].relative_to(folder).as_posix()
            raise DataError(
                f"{'the archive' if where == '.' else where} holds {other.title}, not "
                f"{dataset.title}: it has {' and '.join(other.files)}",
                other.hint or f"Get {dataset.obtain}.",
            )


def _convert(dataset: Dataset, folder: Path, progress: Progress | None) -> None:
    """Replaces an unpacked or linked distribution without image files by image files."""
    for conversion in dataset.conversions:
        if found := folders_with(folder, conversion.is_of):
            replaced = list(folder.iterdir())
            target = folder / f"{dataset.name}-images"
            target.mkdir()
            conversion.write(found[0], target, progress)
            for path in replaced:
                remove(path)
            return


def make(dataset: Dataset) -> Path:
    """Generates a dataset that needs no archive, unless it exists, and shows the progress."""
    folder = prepared_folder(dataset)
    if dataset.make is None or folder.is_dir():
        return folder
    with staged(folder) as staging:
        if not folder.is_dir():  # another process may have generated it in the meantime
            with progress_bar(f"making {dataset.name}", "img") as progress:
                dataset.make(staging, progress)
    return folder


def _sha256(path: Path) -> str:
    return "" if path.is_dir() else file_sha256(path)
