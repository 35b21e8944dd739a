"""Models of `torch.hub`, whose code is a part of what they are."""

import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from lowlabel.errors import DataError
from lowlabel.features.models.code.running import users_code
from lowlabel.features.models.code.trust import repository_folders, require_trust
from lowlabel.features.models.code.user_code import folder_code, imported_by, local_file
from lowlabel.paths import expanded

_MADE_FROM = "__lowlabel_code__"  # in a module: the hash of the repository that imported it


def load_entry(repository: str, entry: str) -> tuple[nn.Module, str]:
    """Loads a model of a repository on GitHub or of a folder with a `hubconf.py`.

    Returns:
        The model, and the hash of the code that made it.

    Raises:
        DataError: If there is no such repository or entry point, its code was not allowed to run
            as it is now, or it cannot be loaded.
    """
    require_trust(repository)
    local = expanded(repository).is_dir()
    fix = (
        "Check the names of the repository and the entry point, and the network. REPO may also be "
        "a folder with a hubconf.py."
    )
    with (
        users_code(f"cannot load hub:{repository}:{entry}", fix),
        _fresh_imports(repository_folders(repository)),
    ):
        module: object = torch.hub.load(
            str(expanded(repository)) if local else repository,
            entry,
            source="local" if local else "github",
            trust_repo=True,
        )
    if not isinstance(module, nn.Module):
        raise DataError(
            f"hub:{repository}:{entry} gives a {type(module).__name__}, not a torch.nn.Module",
            "Name an entry point that gives a network.",
        )
    folders = repository_folders(repository)
    code = folder_code(*folders)
    for name in _local_modules(folders):
        vars(sys.modules[name])[_MADE_FROM] = code
    return module, code


@contextmanager
def _fresh_imports(folders: Sequence[Path]) -> Iterator[None]:
    """Lets a repository import its modules as their files are now.

    Python would take a module of another repository, or of an older state of this one, from
    `sys.modules`, and bytecode that was written in the same second as its source.
    """
    code = folder_code(*folders)
    for name in _local_modules(folders):
        if vars(sys.modules[name]).get(_MADE_FROM) != code:
            del sys.modules[name]
    importlib.invalidate_caches()
    writes = sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.dont_write_bytecode = writes


def _local_modules(folders: Sequence[Path]) -> list[str]:
    """Names of loaded modules that lie in a repository, or that code in `folders` imports."""
    wanted = imported_by(*folders)
    return [
        name
        for name, module in sys.modules.items()
        if (file := local_file(name, module))
        and (name.partition(".")[0] in wanted or _in_repository(file))
    ]


def _in_repository(file: Path) -> bool:
    return any((parent / "hubconf.py").is_file() for parent in file.parents)
