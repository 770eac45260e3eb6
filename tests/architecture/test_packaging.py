"""What an installation contains: every package, and the files that code reads beside it."""

import tomllib
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parents[2]
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
LAYERS = ("schemas", "prompts", "stages", "pipeline")


def test_every_package_is_installed() -> None:
    folders = [path.parent for layer in LAYERS for path in (ROOT / layer).rglob("__init__.py")]
    names = {".".join(folder.relative_to(ROOT).parts) for folder in folders}
    assert names == set(SETUPTOOLS["packages"])


def test_every_file_beside_the_code_is_installed() -> None:
    patterns = [
        f"{package.replace('.', '/')}/{pattern}"
        for package, found in SETUPTOOLS["package-data"].items()
        for pattern in found
    ]
    beside = [
        path.relative_to(ROOT).as_posix()
        for layer in LAYERS
        for path in (ROOT / layer).rglob("*")
        if path.is_file() and path.suffix != ".py" and "__pycache__" not in path.parts
    ]
    assert beside
    assert [name for name in beside if not any(fnmatch(name, p) for p in patterns)] == []
