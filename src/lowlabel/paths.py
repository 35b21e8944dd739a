"""Where data, features, weights and results live, and how a file is written whole or not at all."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from platformdirs import user_cache_path

from lowlabel.errors import DataError


def home() -> Path:
    """The suite's own folder: `$LOWLABEL_HOME`, else the platform's cache folder."""
    configured = os.environ.get("LOWLABEL_HOME")
    return Path(configured).expanduser() if configured else user_cache_path("lowlabel")


def datasets_dir() -> Path:
    """Prepared data sets, one folder each."""
    return home() / "datasets"


def features_dir() -> Path:
    """The store of extracted features."""
    return home() / "features"


def weights_dir() -> Path:
    """Weights that the user put there by hand, named as the error message asks for."""
    return home() / "weights"


def results_dir() -> Path:
    """Records and leaderboards, unless `--output` says otherwise."""
    return home() / "results"


def writable_dir(path: Path) -> Path:
    """Makes the folder `path` if need be and returns it.

    Raises:
        DataError: If it cannot be made or written to.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / f".write-test-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise DataError(
            f"cannot write to the folder {path}: {error.strerror or error}",
            "Name another one with --output, or set LOWLABEL_HOME to a folder of yours.",
        ) from error
    return path


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Gives a temporary path beside `path` that takes its place when the block ends well.

    Raises:
        DataError: If the file cannot be written (a full disk, say); `path` is then as it was.
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
