"""The folder of a dataset that grows: a whole release at any instant, and the next beside it.

<home>/dataset             the current release
<home>/work, run.json, ... of the run that made it
<home>/releases/0003/      output folder of the run that makes the next one
<home>/releases.json       the ledger: what each release added, and when
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from pipeline.dataset.check import check_dataset
from pipeline.dataset.read import DatasetFolder, open_dataset
from pipeline.dataset.swap import OLD, restore, swap
from pipeline.folders import open_folder
from schemas.errors import InputError

_RELEASES = "releases"
_STAYS = ("dataset", ".dataset.new", OLD, ".prefmill.lock")
"""What of a run's output folder is no part of the work that a release leaves behind."""


def next_folder(home: Path, number: int) -> Path:
    """The output folder of the run that makes a release."""
    return home / _RELEASES / f"{number:04d}"


def work_of(work: str, number: int) -> str:
    """Where in a work folder elsewhere that of a release lies: it belongs to one output folder."""
    return f"{work.rstrip('/')}/{number:04d}"


def forget_work(work: str | None, number: int) -> None:
    """Delete the work on releases before `number` from a work folder elsewhere."""
    if work is None:
        return
    folder = open_folder(work)
    for name in folder.names():
        if name.isdecimal() and int(name) < number:
            folder.child(name).clear()


def current(home: Path) -> DatasetFolder | None:
    """The release in a folder; None if there is none, and none was begun by a plain run.

    Raises:
        InputError: a run that has written no dataset yet, or something that is not ours.
    """
    if (home / "dataset").exists() or (home / "run.json").exists():
        return open_dataset(home)
    return None


def check_release(last: DatasetFolder) -> None:
    """Make sure that a release is whole and as it was written, before another stands on it.

    Raises:
        InputError: it is not; says all that is wrong.
    """
    problems = check_dataset(last)
    if problems:
        listed = "\n".join(str(replace(problem, advice="")) for problem in problems)
        raise InputError(
            f"{last.path} is not as release {last.release} was written, so none is made of it:\n"
            f"{listed}\nPut it right, from a backup or from where it was pushed to."
        )


def settle(home: Path) -> None:
    """Finish what a publication that was cut short left undone, and forget what it overtook."""
    restore(home / "dataset")
    shutil.rmtree(home / OLD, ignore_errors=True)
    last = current(home)
    begun = (home / _RELEASES).iterdir() if (home / _RELEASES).exists() else ()
    for folder in sorted(folder for folder in begun if folder.name.isdecimal()):
        number = int(folder.name)
        if last is not None and number <= last.release:
            if number == last.manifest.get("release"):
                _bring_up(folder, home)
            shutil.rmtree(folder)


def publish(home: Path, number: int) -> None:
    """Make the release that was built the current one.

    The dataset takes its place in one step; what the run left follows, and `settle` makes up for
    it if that is cut short.
    """
    swap(next_folder(home, number) / "dataset", home / "dataset")
    settle(home)


def _bring_up(folder: Path, home: Path) -> None:
    """Let the work of a release take the place of its predecessor's."""
    for path in sorted(folder.iterdir()):
        if path.name in _STAYS:
            continue
        target = home / path.name
        if target.is_dir():
            shutil.rmtree(target)
        path.rename(target)
