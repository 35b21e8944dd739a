"""A hash of the code that a user's model runs: all that no package manager installed.

The hash is taken from files, not from what happens to be imported, so that it is the same in every
process. Names in it are relative, so that a folder can move.
"""

import ast
import hashlib
import os
import site
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES, PathFinder
from pathlib import Path
from types import ModuleType

import timm

from lowlabel.errors import InputError

_CODE = (".py", *EXTENSION_SUFFIXES, ".c", ".h", ".cc", ".cpp", ".cu", ".cuh")
_SETTINGS = (".yaml", ".yml", ".toml", ".ini", ".cfg")
_DIGITS = 16
_OURS = {"lowlabel", "__main__"}


def folder_code(*folders: Path) -> str:
    """Hashes the code and settings of folders, and the local modules that they import."""
    files = {
        f"{index}/{name}": file
        for index, folder in enumerate(folders)
        for name, file in _files(folder, _CODE + _SETTINGS)
    }
    return _digest(files, folders)


def file_code(path: Path) -> str:
    """Hashes a source file, and the local modules that it imports by the path of modules."""
    return _digest({path.name: path}, ())


def registered_code(architecture: str) -> str | None:
    """Hashes the local modules of an architecture that a user registered in timm.

    None for timm's own architectures and those of installed packages.

    Raises:
        InputError: If the architecture is defined in an interactive session, whose code is in no
            file.
    """
    module = timm.model_entrypoint(architecture.partition(".")[0]).__module__
    if module != "__main__":
        files = dict(_module_files(module.partition(".")[0], ()))
        return _digest(files, ()) if files else None
    script = Path(getattr(sys.modules[module], "__file__", None) or "")
    if not script.is_file():
        raise InputError(
            f"the code of {architecture} is in no file, so features cannot be kept for it",
            "Define it in a module, and import that.",
        )
    return _digest({module: script}, ())


def imported_by(*folders: Path) -> set[str]:
    """First components of the modules that the code of folders imports."""
    files = (file for folder in folders for _, file in _files(folder, (".py",)))
    return set[str]().union(*map(_imports, files))


def local_file(name: str, module: ModuleType) -> Path | None:
    """The file or folder of a loaded module; None if it is installed, built in, or lowlabel's."""
    top = name.partition(".")[0]
    if top in _OURS or top in sys.stdlib_module_names:
        return None
    place = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), None)
    path = Path(place) if isinstance(place, str) else None
    return path if path and path.is_absolute() and not is_installed(path) else None


def is_installed(path: Path) -> bool:
    """Whether a file belongs to Python or to an installed package."""
    if {"site-packages", "dist-packages"} & set(path.parts):
        return True
    resolved = path.resolve()
    return any(resolved.is_relative_to(place) for place in _installed_places())


@cache
def _installed_places() -> tuple[Path, ...]:
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    places = [*map(sysconfig.get_path, names), site.getusersitepackages()]
    return tuple(Path(place).resolve() for place in places)


def _digest(files: Mapping[str, Path], folders: tuple[Path, ...]) -> str:
    """Hashes files by name, with the local modules outside `folders` that they import."""
    pending, found = list(files.items()), dict(files)
    while pending:
        for module in _imports(pending.pop()[1]):
            new = {n: f for n, f in _module_files(module, folders) if n not in found}
            found |= new
            pending += new.items()
    digest = hashlib.sha256()
    for name, file in sorted(found.items()):
        digest.update(f"{name}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:_DIGITS]


def _files(folder: Path, suffixes: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
    """The files below a folder by relative name, without hidden ones and environments."""
    seen = set[str]()
    for place, below, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        skipped = real in seen or "pyvenv.cfg" in names
        seen.add(real)
        below[:] = [
            each
            for each in below
            if not skipped and not each.startswith((".", "__pycache__")) and each != "node_modules"
        ]
        for name in () if skipped else names:
            if name.endswith(suffixes) and not name.startswith("."):
                file = Path(place, name)
                yield file.relative_to(folder).as_posix(), file


def _imports(file: Path) -> set[str]:
    """First components of the modules that a source imports, anywhere in it."""
    if file.suffix != ".py":
        return set()
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return set()  # not imported either, or the import says so
    names = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def _module_files(name: str, folders: tuple[Path, ...]) -> Iterator[tuple[str, Path]]:
    """The files of a top-level module, if it is local and in none of `folders`."""
    if name in _OURS or name in sys.stdlib_module_names or any(_within(name, f) for f in folders):
        return
    spec = getattr(sys.modules.get(name), "__spec__", None) or PathFinder.find_spec(name)
    if spec is None:
        return
    places = [Path(place) for place in spec.submodule_search_locations or ()]
    if not places and spec.has_location and spec.origin:
        file = Path(spec.origin)
        if not is_installed(file):
            yield file.name, file
    for place in places:
        if not is_installed(place):
            yield from ((f"{name}/{inner}", file) for inner, file in _files(place, _CODE))


def _within(name: str, folder: Path) -> bool:
    return (folder / f"{name}.py").is_file() or (folder / name).is_dir()
