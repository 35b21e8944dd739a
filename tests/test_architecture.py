"""Imports run one way, on four floors; DESIGN.md has the picture."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CORE = {
    "arrays",
    "devices",
    "embeddings",
    "errors",
    "escaping",
    "fields",
    "intervals",
    "lazy_rows",
    "locks",
    "npz",
    "paths",
    "precision",
    "processes",
    "progress",
    "reading",
    "registry",
    "scale",
    "specs",
    "torch_file",
    "workers",
}
GROUND = {"classification", "datasets", "fewshot", "results", "retrieval"}
MIDDLE = {"analysis", "benchmarks", "training"}
MAY_IMPORT = {
    "lowlabel": set(),
    "__main__": {"cli"},
    **dict.fromkeys(CORE | GROUND, CORE),
    "classification": CORE | {"fewshot"},
    "features": CORE | {"datasets"},
    **dict.fromkeys(MIDDLE, CORE | GROUND | {"features"}),
    **dict.fromkeys(("cli", "speed"), CORE | GROUND | {"features"} | MIDDLE),
}
PACKAGES = {
    "lowlabel": ROOT / "src/lowlabel",
    **{f"lowlabel.{name}": ROOT / name for name in GROUND | MIDDLE | {"features"}},
}
MOST_MODULES = 20


def package_files() -> dict[str, Path]:
    """Every source file of the package, by its module's name."""
    found = {}
    for package, folder in PACKAGES.items():
        for file in folder.rglob("*.py"):
            parts = file.relative_to(folder).with_suffix("").parts
            parts = parts[:-1] if parts[-1] == "__init__" else parts
            found[".".join((package, *parts))] = file
    return found


FILES = package_files()


def part_of(module: str) -> str:
    """The floor's part that a module belongs to: a folder, a core module, cli or speed."""
    if module.startswith("lowlabel.benchmarks.speed"):
        return "speed"
    return module.split(".")[1] if "." in module else "lowlabel"


def imports(tree: ast.AST, at_import: bool = False) -> Iterator[str]:
    """Full names that a source imports: `a.b` for `import a.b`, `a.b.c` for `from a.b import c`.

    Args:
        tree: The parsed source.
        at_import: Leave out imports in functions and under `if TYPE_CHECKING`, which do not run
            when the module is imported.
    """
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno} has a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif not (at_import and _runs_later(node)):
            yield from imports(node, at_import)


def _runs_later(node: ast.AST) -> bool:
    if isinstance(node, ast.If):
        return "TYPE_CHECKING" in ast.unparse(node.test)
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)


def file_imports(file: Path, at_import: bool = False) -> set[str]:
    return set(imports(ast.parse(file.read_text(encoding="utf-8")), at_import))


SOURCE = """
import timm
import timm.models as models
from torchvision import ops
if TYPE_CHECKING:
    from a import typed
class C:
    from b import attribute
    def method(self):
        from timm.layers import Mlp
"""


def test_imports_of_every_form_are_found():
    tree = ast.parse(SOURCE)
    always = {"timm", "timm.models", "torchvision.ops", "b.attribute"}
    assert set(imports(tree)) == always | {"a.typed", "timm.layers.Mlp"}
    assert set(imports(tree, at_import=True)) == always


@pytest.mark.slow
@pytest.mark.parametrize("part", sorted(MAY_IMPORT))
def test_imports_run_one_way(part):
    itself = {part, "benchmarks"} if part == "speed" else {part}
    allowed = MAY_IMPORT[part] | itself | {"lowlabel", "__version__"}
    for module, file in FILES.items():
        if part_of(module) == part:
            names = file_imports(file)
            found = {part_of(name) for name in names if name.split(".")[0] == "lowlabel"}
            assert found <= allowed, module


@pytest.mark.parametrize("part", ["classification", "fewshot", "results", "retrieval"])
def test_the_ground_floor_knows_no_models_and_no_image_library(part):
    for module, file in FILES.items():
        if part_of(module) == part:
            top_level = {name.split(".")[0] for name in file_imports(file)}
            assert not top_level & {"timm", "torchvision"}, module


def test_no_import_needs_a_module_that_windows_lacks():
    absent = {"fcntl", "grp", "pwd", "resource", "termios"}
    for module, file in FILES.items():
        top_level = {name.split(".")[0] for name in file_imports(file, at_import=True)}
        assert not top_level & absent, module


def test_imports_have_no_circle():
    """Neither inside a package nor between packages.

    Counted are imports that run when a module is imported, so not those in functions and under
    `if TYPE_CHECKING`. A package's `__init__` counts for who names it, not for who imports a
    module below it.
    """
    graph = {}
    for module, file in FILES.items():
        names = file_imports(file, at_import=True)
        targets = {name if name in FILES else name.rpartition(".")[0] for name in names}
        graph[module] = targets & FILES.keys()
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"circular imports: {' → '.join(reversed(error.args[1]))}")


def test_no_folder_shows_more_than_20_modules():
    """`__init__.py` is not counted."""
    modules = [file.parent for file in FILES.values() if file.name != "__init__.py"]
    crowded = {str(folder): modules.count(folder) for folder in modules}
    assert {folder: n for folder, n in crowded.items() if n > MOST_MODULES} == {}


def test_every_source_file_belongs_to_a_part():
    assert {part_of(module) for module in FILES} <= MAY_IMPORT.keys()
    other = {"tests", "build", "dist"}
    sources = {
        file
        for folder in ROOT.iterdir()
        if folder.is_dir() and folder.name not in other and not folder.name.startswith(".")
        for file in folder.rglob("*.py")
    }
    assert sources == set(FILES.values())
