"""docs/reliability.md names tests that exist."""

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PAGE = (TESTS.parent / "docs" / "reliability.md").read_text(encoding="utf-8")
CELLS = [row.split("|")[3] for row in PAGE.splitlines() if row.startswith("|")]


def named_tests(cell: str) -> list[tuple[Path, str]]:
    """The tests in a cell; a name without a file is in the file before it."""
    found, file = [], ""
    for name in re.findall(r"`([^`]+)`", cell):
        path, _, test = name.partition("::")
        file = path or file
        found.append((TESTS / file, test))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell.strip() not in ("test", "---")])
def test_every_kind_of_fault_has_tests_that_exist(cell):
    tests = named_tests(cell)
    assert tests
    for path, name in tests:
        functions = {
            node.name
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.FunctionDef)
        }
        assert any(each.startswith("test_") for each in functions)
        assert not name or name in functions, f"{path.name} has no {name}"
