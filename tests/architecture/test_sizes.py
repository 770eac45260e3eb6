"""Files and functions stay small enough to be read; packages stay free of surprises."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("schemas", "prompts", "stages", "pipeline")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """(name, lines) of every function and method of a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield node.name, node.end_lineno - node.lineno + 1


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_files_and_functions_are_small(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_FILE_LINES
    assert [(name, n) for name, n in functions(path) if n > MAX_FUNCTION_LINES] == []


@pytest.mark.parametrize("path", [p for p in FILES if p.name == "__init__.py"], ids=relative)
def test_packages_export_nothing(path: Path) -> None:
    assert path.read_text(encoding="utf-8").strip() == ""


def test_tests_are_no_packages() -> None:
    # An __init__.py under tests/ would make `import stages` find the tests instead.
    assert [relative(path) for path in (ROOT / "tests").rglob("__init__.py")] == []


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_type_checks_are_silenced_only_with_a_reason(path: Path) -> None:
    for line in path.read_text(encoding="utf-8").splitlines():
        _, mark, rest = line.partition("# type: ignore")
        assert not mark or "#" in rest, line
