"""Imports run one way, on four floors; brothers on a floor do not import each other."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CORE = {"errors", "registry", "specs", "paths", "devices", "progress"}
GROUND = {"datasets", "fewshot", "retrieval", "classification", "results"}
MIDDLE = {"benchmarks", "training", "analysis"}
MAY_IMPORT = {
    **dict.fromkeys(CORE | GROUND, CORE),
    "features": CORE | {"datasets"},
    **{name: CORE | GROUND | {"features"} for name in MIDDLE},
    "speed": CORE | GROUND | {"features"} | MIDDLE,
    "cli": CORE | GROUND | {"features"} | MIDDLE,
}


def parts() -> dict[str, list[Path]]:
    """Each part of the package with its source files."""
    found = {name: list((ROOT / name).rglob("*.py")) for name in GROUND | MIDDLE | {"features"}}
    found["speed"] = [file for file in found["benchmarks"] if file.parent.name == "speed"]
    found["benchmarks"] = [file for file in found["benchmarks"] if file not in found["speed"]]
    found["cli"] = list((ROOT / "src/lowlabel/cli").rglob("*.py"))
    for name in CORE:
        found[name] = [ROOT / f"src/lowlabel/{name}.py"]
    return {name: files for name, files in found.items() if files}


def imported(file: Path) -> set[str]:
    """The parts of lowlabel that a file imports, inside functions too."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} has a relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("lowlabel.")}


@pytest.mark.parametrize("part", sorted(parts()))
def test_imports_run_one_way(part):
    own = "benchmarks" if part == "speed" else part
    allowed = MAY_IMPORT[part] | {own, "__version__"}
    for file in parts()[part]:
        assert imported(file) <= allowed, file.relative_to(ROOT)


@pytest.mark.parametrize("part", sorted({"fewshot", "retrieval", "results"} & parts().keys()))
def test_protocols_know_no_models_and_no_data_sets(part):
    for file in parts()[part]:
        text = file.read_text()
        assert "import timm" not in text, file
        assert "torchvision" not in text, file


def test_every_source_file_belongs_to_a_part():
    known = {file for files in parts().values() for file in files}
    top = {ROOT / "src/lowlabel/__init__.py", ROOT / "src/lowlabel/__main__.py"}
    folders = [path for path in ROOT.iterdir() if path.is_dir()]
    sources = {
        file
        for folder in folders
        if folder.name not in {"tests", "build", "dist", ".venv"}
        for file in folder.rglob("*.py")
        if ".venv" not in file.parts
    }
    assert sources == known | top
