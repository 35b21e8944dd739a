"""Where a score was computed: versions, commit and device."""

import platform
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import lowlabel
from lowlabel.fields import grown


@dataclass(frozen=True)
class Environment:
    """Versions (None if not installed), commit (None outside a checkout) and device.

    `engine` is what computed the embeddings, if it was not torch: "OpenVINO 2026.4.1". `pillow`
    decodes and resizes images; 13 resamples rows and columns in another order than 12 where their
    factors differ.
    """

    lowlabel: str
    commit: str | None
    python: str
    torch: str | None
    timm: str | None
    numpy: str | None
    device: str
    engine: str = grown("")
    pillow: str = grown("")


def describe_environment(device: str, engine: str = "") -> Environment:
    """The current environment.

    Args:
        device: Name of the device, from `lowlabel.devices.describe_device`.
        engine: See `Environment`.
    """
    return Environment(
        lowlabel=lowlabel.__version__,
        commit=source_commit(Path(lowlabel.__file__)),
        python=platform.python_version(),
        torch=_version("torch"),
        timm=_version("timm"),
        numpy=_version("numpy"),
        device=device,
        engine=engine,
        pillow=_version("pillow") or "",
    )


def source_commit(source: Path) -> str | None:
    """The commit of the checkout that tracks the file `source`, with "-dirty" if files changed.

    None if git does not track the file: a package installed inside the checkout of another
    project must not get the commit of that project.
    """
    if _git(source.parent, "ls-files", "--error-unmatch", source.name) is None:
        return None
    commit = _git(source.parent, "rev-parse", "HEAD")
    changes = _git(source.parent, "status", "--porcelain", "--untracked-files=no")
    return f"{commit}-dirty" if commit and changes else commit


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
