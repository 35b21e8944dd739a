"""Folders of data, features, weights and results, and atomic writing of files."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from platformdirs import user_cache_path

from lowlabel.errors import DataError


def home() -> Path:
    """The root of these folders: `$LOWLABEL_HOME`, else in the platform's cache folder."""
    configured = os.environ.get("LOWLABEL_HOME")
    return Path(configured).expanduser() if configured else user_cache_path("lowlabel")


def datasets_dir() -> Path:
    """Prepared datasets, one folder each."""
    return home() / "datasets"


def features_dir() -> Path:
    """The store of extracted features."""
    return home() / "features"


def weights_dir() -> Path:
    """Weights that were downloaded by hand, named as the error message asks."""
    return home() / "weights"


def results_dir() -> Path:
    """Records and leaderboards, unless `--output` is given."""
    return home() / "results"


def writable_dir(path: Path) -> Path:
    """Creates the folder `path` if needed and returns it.

    Raises:
        DataError: If the folder cannot be created or written to.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / f".write-test-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise DataError(
            f"cannot write to the folder {path}: {error.strerror or error}",
            "Choose another folder with --output, or set LOWLABEL_HOME.",
        ) from error
    return path


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yields a temporary path that replaces `path` if the block succeeds.

    Raises:
        DataError: If the file cannot be written, for example to a full disk; `path` is unchanged.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
