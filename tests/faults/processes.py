"""Runs as processes of their own, to be killed."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil


@contextmanager
def running(recipe: Path, out: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """A run, gone when the block ends; its errors go to a file."""
    command = [sys.executable, "-m", "pipeline.cli.main", "run", str(recipe), "--out", str(out)]
    with (
        errors_of(out).open("ab") as errors,
        subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL, stderr=errors) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def errors_of(out: Path) -> Path:
    return out.with_suffix(".stderr")


def said(out: Path) -> str:
    """All that the runs into a folder wrote to standard error so far."""
    return errors_of(out).read_text()


def finish(recipe: Path, out: Path, *options: str, code: int = 0) -> dict[str, bytes]:
    """Run to the end and return the dataset's files."""
    with running(recipe, out, *options) as process:
        assert process.wait(timeout=200) == code, said(out)
    assert "Traceback" not in said(out)
    return dataset_files(out)


def dataset_files(out: Path) -> dict[str, bytes]:
    folder = out / "dataset"
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def wait_for_parts(out: Path, n: int, process: subprocess.Popen[bytes]) -> None:
    """Until n parts are committed: a place in the work, not a time."""
    deadline = time.monotonic() + 60
    while n_parts(out) < n:
        assert process.poll() is None, "the run ended before it was to be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)


def n_parts(out: Path) -> int:
    """How many parts are committed."""
    return len(list(out.glob("work/*/**/*.part")))


def family_of(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(process.pid).children(recursive=True)
    return []


def workers_of(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The Dask worker processes of a run: they are forked, not started by the run itself."""
    found = []
    for member in family_of(process):
        with suppress(psutil.NoSuchProcess):
            parent = member.parent()
            if parent and "multiprocessing.forkserver" in " ".join(parent.cmdline()):
                found.append(member)
    return found


def assert_gone(family: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(family, timeout=30)
    assert not alive, "processes outlived the run"
