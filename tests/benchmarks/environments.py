"""Environments of their own for peers, which pin other versions than we do."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

FOLDER = Path.home() / ".cache" / "prefmill-peers"


def python_of(name: str, *requirements: str) -> str | None:
    """The Python of an environment with these packages; None, with a word, if there can be none."""
    folder = FOLDER / name
    python, done = folder / "bin" / "python", folder / "done"
    if done.exists():
        return str(python)
    venv.create(folder, with_pip=True, clear=True)
    command = [str(python), "-m", "pip", "install", "--quiet", *requirements]
    installed = subprocess.run(command, capture_output=True, text=True, check=False)
    if installed.returncode:
        print(
            f"{name}: left out, not installable: {installed.stderr.strip()[-300:]}", file=sys.stderr
        )
        return None
    done.touch()
    return str(python)


def version_in(python: str, package: str) -> str:
    """The version of a package in an environment."""
    code = f"from importlib.metadata import version; print(version({package!r}))"
    return subprocess.run(
        [python, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()
