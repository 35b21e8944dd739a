"""What lies under LOWLABEL_HOME, by model and dataset, and its safe removal."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from lowlabel.datasets import is_own
from lowlabel.errors import DataError
from lowlabel.locks import LockError, file_lock
from lowlabel.paths import (
    datasets_dir,
    features_dir,
    home,
    results_dir,
    temporary_beside,
    weights_dir,
)

KINDS = ("features", "datasets", "weights", "records")
_FEATURES = (".h5", ".partial")
_HDF5 = b"\x89HDF\r\n\x1a\n"
_VERSION = re.compile(r"-v\d+$")  # of a dataset that lowlabel draws
_PROCESSES = Path("/proc")


@dataclass(frozen=True)
class Item:
    """Files that belong together.

    Attributes:
        kind: One of `KINDS`.
        model: What the model was loaded from; empty for a dataset.
        dataset: Name of the dataset; empty for weights.
        paths: The files, or a folder.
        size: Bytes.
        names: Other names that the model or the dataset goes by.
    """

    kind: str
    model: str
    dataset: str
    paths: tuple[Path, ...]
    size: int
    names: tuple[str, ...] = ()

    def is_of(self, model: str | None, dataset: str | None) -> bool:
        """Whether it belongs to the model and the dataset, which may be patterns; None for any."""
        base = "" if is_own(self.dataset) else self.dataset.partition(":")[0]
        return all(
            wanted is None or any(_fits(name, wanted) for name in names)
            for wanted, names in (
                (model, (self.model, *self.names)),
                (dataset, (self.dataset, base)),
            )
        )


def _fits(name: str, wanted: str) -> bool:
    return bool(name) and (name == wanted or fnmatchcase(name, wanted))


def stock() -> list[Item]:
    """Everything under LOWLABEL_HOME that can be removed by model or dataset."""
    return [*_features(), *_datasets(), *_weights(), *_records()]


def remove(item: Item) -> str:
    """Removes the files of an item.

    Returns:
        Why it was kept; empty if it was removed.

    Raises:
        DataError: If a file cannot be removed, or lies outside LOWLABEL_HOME.
    """
    for path in item.paths:
        if not path.parent.resolve().is_relative_to(home().resolve()):
            raise DataError(
                f"{path.parent} is a link to a folder outside {home()}, where nothing is removed",
                f"Remove it by hand: {path.resolve()}",
            )
    try:
        with ExitStack() as stack:
            for lock in filter(Path.exists, map(_lock_of, item.paths)):
                stack.enter_context(file_lock(lock, "", most_s=0))
            if reader := next(filter(_is_open, item.paths), None):
                return f"{reader} is in use"
            for path in item.paths:
                _delete(path)
    except LockError:
        return f"{item.paths[0]} is in use"
    except OSError as error:
        raise DataError(
            f"cannot remove {error.filename}: {error.strerror}", "Check its permissions."
        ) from error
    return ""


def _lock_of(path: Path) -> Path:
    """The lock that who writes a file or a folder holds."""
    if path.parent == features_dir():
        return path.with_suffix(".lock")
    if path.parent == datasets_dir():
        return path.with_name(f".{path.name}.lock")
    return path.with_name(".lock")


def _delete(path: Path) -> None:
    """Deletes a file, a link (never what it leads to) or a folder, whose name goes first."""
    if path.is_dir() and not path.is_symlink():
        leaving = temporary_beside(path)
        path.rename(leaving)
        shutil.rmtree(leaving)
    else:
        path.unlink(missing_ok=True)


def _is_open(path: Path) -> bool:
    """Whether a process of this user has the file, or one in the folder, open or mapped."""
    wanted = path.resolve()
    return any(place == wanted or wanted in place.parents for place in _open_files())


def _open_files() -> Iterator[Path]:
    """Files that processes have open, where the system tells."""
    for process in _PROCESSES.glob("[0-9]*"):
        with suppress(OSError):
            for link in (process / "fd").iterdir():
                with suppress(OSError):
                    yield link.readlink()
            for line in (process / "maps").read_bytes().splitlines():
                if b"/" in line:
                    yield Path(os.fsdecode(line[line.index(b"/") :]))


def _features() -> Iterator[Item]:
    for path in _files(features_dir()):
        if path.suffix in _FEATURES:
            model, dataset = _key(path)
            yield Item("features", model, dataset, (path,), path.stat().st_size)


def _key(path: Path) -> tuple[str, str]:
    """The model and the dataset of a feature file, from its key or else its name."""
    with suppress(DataError, OSError, KeyError, ValueError, TypeError, RuntimeError):
        key = json.loads(_stored_key(path))
        return str(key["model"]), str(key["dataset"])
    model, dataset, *_ = [*path.stem.split("--"), ""]
    return model, dataset


def _stored_key(path: Path) -> str:
    """The key in a feature file as JSON; HDF5 hangs on some damage, so it is verified before."""
    from lowlabel.datasets.io.hdf5 import open_hdf5
    from lowlabel.features.store_file import StoreFile

    with path.open("rb") as file:
        earlier = file.read(len(_HDF5)) == _HDF5  # without checksums
    if earlier:
        with open_hdf5(path) as opened:
            return str(opened.attrs["key"])
    with StoreFile(path, None, finished=path.suffix == ".h5") as verified:
        return verified.key


def _datasets() -> Iterator[Item]:
    for folder in sorted(datasets_dir().glob("[!.]*")):
        name = _VERSION.sub("", folder.name)
        yield Item("datasets", "", name, (folder,), _size(folder))


def _weights() -> Iterator[Item]:
    for path in _files(weights_dir()):
        yield Item("weights", path.stem, "", (path,), path.stat().st_size)


def _records() -> Iterator[Item]:
    for path in _files(results_dir() / "records"):
        if path.suffix != ".json":
            continue
        files = tuple(filter(Path.exists, (path, path.with_suffix(".npz"))))
        size = sum(file.stat().st_size for file in files)
        with suppress(OSError, ValueError, LookupError, TypeError, RecursionError):
            experiment = json.loads(path.read_bytes())["experiment"]
            model, dataset = experiment["model"], experiment["dataset"]
            named = f"{dataset['name']}:{dataset['scheme']}"
            yield Item("records", str(model["spec"]), named, files, size, (str(model["name"]),))


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("[!.]*") if path.is_file())


def _size(folder: Path) -> int:
    """Bytes of the files below a folder; 0 for a link, whose files are elsewhere."""
    if folder.is_symlink():
        return 0
    places = (Path(top, name) for top, _, names in os.walk(folder) for name in names)
    return sum(place.lstat().st_size for place in places)
