"""Put a finished folder in the place of the one before it."""

from __future__ import annotations

import ctypes
import os
import shutil
from pathlib import Path

OLD = ".dataset.old"
"""Where the dataset before stands for a moment, on systems that cannot exchange two folders."""

_CURRENT_FOLDER = -100  # AT_FDCWD: relative paths are taken as usual
_EXCHANGE = 2  # RENAME_EXCHANGE


def swap(fresh: Path, target: Path, aside: str = OLD) -> None:
    """Put `fresh` in the place of `target`, which it removes.

    On Linux the two change places in one step. Elsewhere `target` is renamed to `aside` first, and
    whoever is stopped right then leaves it for `restore`.
    """
    old = target.with_name(aside)
    shutil.rmtree(old, ignore_errors=True)
    if target.exists() and not exchange(fresh, target):
        target.rename(old)
    if not target.exists():
        fresh.rename(target)
    shutil.rmtree(old, ignore_errors=True)
    shutil.rmtree(fresh, ignore_errors=True)


def restore(target: Path) -> None:
    """Bring back what a swap that was stopped in the middle had put aside."""
    old = target.with_name(OLD)
    if old.is_dir() and not target.exists():
        old.rename(target)


def exchange(first: Path, second: Path) -> bool:
    """Let two folders change places in one step; False if the system cannot (not Linux)."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    names = os.fsencode(first), os.fsencode(second)
    done: int = rename(_CURRENT_FOLDER, names[0], _CURRENT_FOLDER, names[1], _EXCHANGE)
    return done == 0
