"""Repositories whose code may run: asked once for each state of the code, and kept."""

import json
from collections.abc import Sequence
from inspect import signature
from pathlib import Path
from typing import Any

import torch

from lowlabel.errors import DataError, InputError
from lowlabel.features.models.code.user_code import folder_code
from lowlabel.paths import expanded, home, writable_dir, write_file
from lowlabel.reading import reading

NAME = "trusted-code.json"
_DEFAULT_BRANCHES = ("main", "master")  # those that torch.hub looks for


def trust_code(spec: str) -> None:
    """Allows the code of a `hub:` model to run, as it is now; other models need nothing.

    A repository on GitHub is downloaded, and nothing of it is run. The permission is kept in
    `$LOWLABEL_HOME/trusted-code.json`, and ends when the code changes.

    Raises:
        DataError: If the repository cannot be downloaded.
    """
    kind, _, rest = spec.partition(":")
    repository, separator, _ = rest.rpartition(":")
    if kind != "hub":
        return
    if not separator:
        raise InputError(f"{spec} names no entry point", "A hub model is hub:REPO:ENTRY.")
    folders = repository_folders(repository) or _downloaded(repository)
    content = json.dumps(_trusted() | {_name(repository): folder_code(*folders)}, indent=2)
    write_file(writable_dir(home()) / NAME, content + "\n")


def require_trust(repository: str) -> None:
    """Raises a `DataError` unless the code of a repository, as it is now, may run."""
    folders, name = repository_folders(repository), _name(repository)
    code = folder_code(*folders) if folders else None
    known = _trusted().get(name)
    if code is not None and known == code:
        return
    where = f", which is in {folders[0]}" if folders else ""
    changed = " Its code changed since it was allowed." if known else ""
    raise DataError(
        f"hub:{repository} runs the code of that repository{where} on this computer.{changed}",
        "If you trust it, allow it once, as it is now: "
        f"lowlabel run --model hub:{repository}:ENTRY --trust-code --dry-run",
    )


def repository_folders(repository: str) -> list[Path]:
    """The folder of a repository: of one on GitHub, where torch.hub unpacks it.

    Both folders if either can be that of the default branch; none before the download.
    """
    local = expanded(repository)
    if local.is_dir():
        return [local]
    name, _, ref = repository.partition(":")
    stem = name.replace("/", "_")
    branches: Sequence[str] = [ref.replace("/", "_")] if ref else _DEFAULT_BRANCHES
    folders = (Path(torch.hub.get_dir(), f"{stem}_{branch}") for branch in branches)
    return [folder for folder in folders if folder.is_dir()]


def _name(repository: str) -> str:
    """A folder by its full path, a repository on GitHub by its name."""
    local = expanded(repository)
    return str(local.resolve()) if local.is_dir() else repository


def _downloaded(repository: str) -> list[Path]:
    """Fetches a repository as torch.hub does, without importing it."""
    fetch: Any = vars(torch.hub)["_get_cache_or_reload"]
    options: dict[str, Any] = {"force_reload": False, "trust_repo": True, "verbose": False}
    if "calling_fn" in signature(fetch).parameters:  # of earlier releases of torch
        options["calling_fn"] = "load"
    with reading(f"hub:{repository}", f"cannot fetch hub:{repository}", "Check its name."):
        fetch(repository, skip_validation=False, **options)
    return repository_folders(repository)


def _trusted() -> dict[str, str]:
    """The hash of the code that may run, by repository."""
    path = home() / NAME
    if not path.is_file():
        return {}
    with reading(path, f"{path} is damaged", f"Delete it, and allow code again: rm '{path}'"):
        return {
            str(key): str(code)
            for key, code in dict(json.loads(path.read_text(encoding="utf-8"))).items()
        }
