"""Runs a function of a user's Python file, with the modules beside it as they are now."""

import importlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from lowlabel.errors import UnknownNameError
from lowlabel.features.models.code.running import users_code
from lowlabel.features.models.code.user_code import file_code, local_file
from lowlabel.specs import Option


def call_function(path: Path, function: str, options: Mapping[str, Option]) -> tuple[Any, str]:
    """Calls a function of a Python file.

    The random generators are seeded, so that weights that it draws are the same each time.

    Args:
        path: The file.
        function: Name of the function.
        options: Its keyword arguments.

    Returns:
        What it returns, and the hash of the file and of the local modules that it imports.

    Raises:
        DataError: If the code raises anything, or ends the process.
        UnknownNameError: If the file has no such function.
    """
    path = path.resolve()
    fix = f"Try it alone: python {path}"
    with _modules_beside(path.parent):
        code = file_code(path)
        with users_code(f"{path.name}: cannot be imported", fix):
            module = _imported(path)
        found = getattr(module, function, None)
        if not callable(found):
            known = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
            raise UnknownNameError(f"function of {path.name}", function, known)
        with (
            users_code(f"{path.name}: {function} fails", fix),
            torch.random.fork_rng(devices=[]),
        ):
            torch.manual_seed(0)
            return found(**options), code


def _imported(path: Path) -> ModuleType:
    name = f"lowlabel_user_{path.stem}"
    spec = spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None  # it ends in .py
    module = module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses and pickle look for it
    spec.loader.exec_module(module)
    return module


@contextmanager
def _modules_beside(folder: Path) -> Iterator[None]:
    """Lets a file import the modules of its folder, not older ones or others of the same name."""
    beside = {each.stem for each in folder.glob("*.py")}
    beside |= {each.name for each in folder.iterdir() if each.is_dir()}
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in beside and local_file(name, module):
            del sys.modules[name]
    importlib.invalidate_caches()
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        sys.dont_write_bytecode = writes
