"""One run at a time in an output folder."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.files import meant_for
from pipeline.folders import Folder, read_folder_json, write_folder_json
from schemas.errors import InputError

_PAGES = ("report.html", "audit.html")
"""Also written while no run holds the folder."""

_OURS = (
    *_PAGES,
    "work",
    "dataset",
    ".dataset.new",
    ".dataset.old",
    "run.json",
    "figures.json",
    "history.jsonl",
    "releases",
    "releases.json",
    ".prefmill.lock",
)
"""What an output folder may already hold; anything else means that it is not ours."""


@contextmanager
def output_folder(out: Path) -> Iterator[None]:
    """Make sure of an output folder and hold it for this run.

    The lock is the operating system's, so it is gone the moment its holder is, however it died.

    Raises:
        InputError: the folder cannot be written, holds something else, or another run has it.
    """
    from filelock import FileLock, Timeout

    _prepare(out)
    lock = FileLock(out / ".prefmill.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise InputError(
            f"{out}: another run is working here ({_holder(out)}). "
            "Wait for it, stop it, or choose another folder with --out."
        ) from None
    try:
        _sweep(out)
        _holder_file(out).write_text(f"pid {os.getpid()} on {socket.gethostname()}")
        yield
    finally:
        _holder_file(out).unlink(missing_ok=True)
        lock.release()


@contextmanager
def own_work(work: Folder, out: Path) -> Iterator[None]:
    """Make sure that a work folder elsewhere belongs to the run in `out`, which is locked.

    Raises:
        InputError: it belongs to another run, or cannot be written.
    """
    here = {"host": socket.gethostname(), "out": str(out.resolve())}
    if work.url == str(out.absolute() / "work"):
        yield
        return
    try:
        owner = read_folder_json(work, "owner.json")
        if owner is None:
            write_folder_json(work, "owner.json", here)
    except Exception as error:  # a remote store has errors of its own kinds
        raise InputError(
            f"placement.work: {work.url} cannot be used: {type(error).__name__}: {error}. Check "
            "the address, the credentials and the permissions."
        ) from error
    if owner not in (None, here):
        raise InputError(
            f"placement.work: {work.url} belongs to the run in {owner['out']} on {owner['host']}. "
            "Two runs cannot share a work folder; name another, or go on with that run."
        )
    yield


def _prepare(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; --out must name a folder, or one to be made.")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{out} cannot be made: {error.strerror}. Choose another --out."
        ) from error
    names = (path.name for path in out.iterdir())
    foreign = sorted(name for name in names if (meant_for(name) or name) not in _OURS)
    if foreign:
        raise InputError(
            f"{out} holds something else ({', '.join(foreign[:3])}); "
            "prefmill writes only into an empty folder or one of its own. Choose another --out."
        )
    try:
        (out / "work").mkdir(exist_ok=True)
        (out / "work" / "probe").write_bytes(b"")
        (out / "work" / "probe").unlink()
    except OSError as error:
        raise InputError(
            f"{out} cannot be written to: {error.strerror}. Change its permissions, free some "
            "space, or choose another --out."
        ) from error


def _sweep(out: Path) -> None:
    """Delete what runs left that were killed in the middle of a write."""
    for path in out.iterdir():
        if meant_for(path.name) in set(_OURS) - set(_PAGES):
            path.unlink(missing_ok=True)


def _holder_file(out: Path) -> Path:
    return out / "work" / "holder"


def _holder(out: Path) -> str:
    try:
        return _holder_file(out).read_text() or "holder unknown"
    except OSError:
        return "holder unknown"
