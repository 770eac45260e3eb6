"""Imports point one way, and what is heavy is imported where it is used."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline.fakes import write

ROOT = Path(__file__).parents[2]
LAYERS = ("schemas", "prompts", "stages", "pipeline")
"""Each may import itself and those before it."""

HEAVY = {
    "accelerate",
    "dask",
    "datasets",
    "distributed",
    "duckdb",
    "httpx",
    "huggingface_hub",
    "jsonschema",
    "krippendorff",
    "numba",
    "numpy",
    "py3langid",
    "pyarrow",
    "re2",
    "referencing",
    "rich",
    "sympy",
    "scipy",
    "sklearn",
    "starlette",
    "tenacity",
    "torch",
    "transformers",
    "uvicorn",
    "vl_convert",
    "vllm",
}
LIGHT_COMMANDS = HEAVY - {"httpx", "tenacity", "accelerate"}
"""What `--help` and `check` must not load; a test holds the list exactly."""

KERNELS = ROOT / "stages" / "kernels"
"""Numeric code behind the stages, made of arrays: loaded where it is used, and heavy itself."""

FILES = sorted(path for layer in LAYERS for path in (ROOT / layer).rglob("*.py"))


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path, *, at_module_level: bool = False) -> Iterator[tuple[int, str]]:
    """(line, module) of each import in a file, those under TYPE_CHECKING left out."""
    pending: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "." * node.level + (node.module or "")
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            pending += node.orelse
        elif not (at_module_level and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)):
            pending += ast.iter_child_nodes(node)


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_imports_are_absolute_and_point_one_way(path: Path) -> None:
    allowed = LAYERS[: LAYERS.index(path.relative_to(ROOT).parts[0]) + 1]
    for line, module in imports(path):
        assert not module.startswith("."), f"line {line}: relative import"
        top = module.split(".")[0]
        assert top not in LAYERS or top in allowed, f"line {line}: imports {module}"
        assert top != "tests", f"line {line}: imports the tests"


ROOMS = {
    "files": set(),
    "tables": set(),
    "folders": {"files"},
    "recipe": {"dataset"},
    "inputs": {"files"},
    "engines": {"files"},
    "dataset": {"files", "tables"},
    "audit": {"files", "inputs"},
    "hub": {"files", "dataset"},
    "compare": {"tables", "files", "dataset"},
    "runtime": {"files", "folders", "recipe", "inputs", "engines", "dataset", "audit"},
    "browse": {"files", "dataset"},
    "estimate": {"files", "folders", "recipe", "inputs", "engines", "runtime"},
    "report": {"files", "dataset", "audit", "compare", "runtime", "browse"},
    "release": {"files", "folders", "recipe", "dataset", "hub", "compare", "runtime", "report"},
    "cli": {
        "tables",
        "recipe",
        "runtime",
        "engines",
        "estimate",
        "audit",
        "files",
        "dataset",
        "hub",
        "compare",
        "browse",
        "report",
        "release",
    },
}
"""The rooms of `pipeline/`, and the rooms that each may use."""


def room(module: str) -> str:
    return module.split(".")[1]


@pytest.mark.parametrize("path", [p for p in FILES if "pipeline" in relative(p)], ids=relative)
def test_the_rooms_of_the_pipeline_stand_on_each_other_in_one_order(path: Path) -> None:
    own = path.relative_to(ROOT / "pipeline").with_suffix("").parts[0]
    for line, module in imports(path):
        if module.startswith("pipeline."):
            assert room(module) in {own, *ROOMS[own]}, f"line {line}: {own} uses {module}"


def test_the_engine_vllm_has_two_doors() -> None:
    users = [relative(p) for p in FILES if any(m.split(".")[0] == "vllm" for _, m in imports(p))]
    assert users == ["pipeline/engines/vllm_engine.py", "pipeline/engines/vllm_reward.py"]


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_heavy_packages_are_imported_inside_functions(path: Path) -> None:
    if path == ROOT / "schemas/arrow.py":  # the one module about Arrow; imported where rows flow
        return
    found = {module for _, module in imports(path, at_module_level=True)}
    if path.is_relative_to(KERNELS):
        return
    assert not {module.split(".")[0] for module in found} & HEAVY
    assert not {module for module in found if module.startswith("stages.kernels")}


@pytest.mark.parametrize("path", sorted(KERNELS.glob("*.py")), ids=relative)
def test_kernels_know_arrays_and_nothing_of_rows(path: Path) -> None:
    ours = {module for _, module in imports(path) if module.split(".")[0] in LAYERS}
    assert all(module.startswith("stages.kernels") for module in ours)


def loaded_by(*arguments: str) -> set[str]:
    """Top-level names of all modules that one command leaves in memory."""
    code = (
        "import json, sys\n"
        "from pipeline.cli.main import main\n"
        "try: code = main(sys.argv[1:])\n"
        "except SystemExit as stop: code = stop.code\n"
        "print(json.dumps([code, sorted({name.split('.')[0] for name in sys.modules})]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    code, modules = json.loads(done.stdout.splitlines()[-1])
    assert code == 0, done.stderr
    return set(modules)


def test_help_loads_next_to_nothing() -> None:
    loaded = loaded_by("--help")
    assert not loaded & HEAVY
    assert not loaded & {"pydantic", "yaml", "jinja2", "schemas", "prompts", "stages", "email"}


def test_check_loads_nothing_heavy() -> None:
    assert not loaded_by("check", "configs/scripted.yaml") & LIGHT_COMMANDS


def test_stages_and_schema_load_nothing_heavy() -> None:
    assert not (loaded_by("stages") | loaded_by("schema")) & LIGHT_COMMANDS


def test_plan_loads_no_engine_and_no_dask(tmp_path: Path) -> None:
    loaded = loaded_by("plan", "configs/scripted.yaml", "--out", str(tmp_path))
    assert not loaded & {"dask", "datasets", "distributed", "torch", "transformers", "vllm"}


def test_the_checks_above_can_fail(tmp_path: Path) -> None:
    path = write(tmp_path, "import a.b\nif TYPE_CHECKING:\n    import c\ndef f():\n    import d\n")
    assert {module for _, module in imports(path)} == {"a.b", "d"}
    assert {module for _, module in imports(path, at_module_level=True)} == {"a.b"}
