"""What stands in the place of a dataset before one is written there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.dataset.card_head import read_head
from pipeline.dataset.read import CARD, FORMAT, MANIFEST, is_ours
from pipeline.files import read_json
from schemas.errors import InputError


def check_place(target: Path) -> None:
    """Make sure that a dataset may be written at `target`, and that nothing of anybody is lost.

    Raises:
        InputError: something that prefmill did not write stands there, or something that was
            changed since; or a card whose YAML cannot be used.
    """
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    manifest = read_json(target / MANIFEST) if target.is_dir() else None
    if manifest is None or not is_ours(manifest):
        raise InputError(
            f"{target} exists and holds no dataset written by prefmill (no {MANIFEST} with "
            f'format "{FORMAT}"); it is left alone. Move it away or choose another --out.'
        )
    if changed := list(_changed(target, manifest.get("files", {}))):
        raise InputError(
            f"{target} was changed since it was written: {', '.join(changed[:5])}"
            f"{', ...' if len(changed) > 5 else ''}. Writing it again would lose that. Move it "
            "away to keep it, or delete it, and run the same command again: finished work is kept."
        )
    if (target / CARD).is_file():
        read_head(read_card(target / CARD), str(target / CARD))


def _changed(target: Path, files: dict[str, Any]) -> Iterator[str]:
    """Files that are not as the manifest has them, by name and size; those that are gone aside."""
    for name in sorted(_files(target)):  # hidden ones too: a `.git` would be lost with the folder
        stated = files.get(name)
        if stated is None:
            yield f"{name} is not of prefmill"
        elif name != CARD and (target / name).stat().st_size != stated["bytes"]:
            yield f"{name} is of another size"


def own_files(folder: Path) -> list[str]:
    """The files of a dataset folder by name, in order; no manifest and nothing hidden."""
    names = _files(folder)
    return sorted(n for n in names if not any(part.startswith(".") for part in n.split("/")))


def _files(folder: Path) -> list[str]:
    names = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return [name.as_posix() for name in names if name != Path(MANIFEST)]


def read_card(path: Path) -> str:
    """The text of a card.

    Raises:
        InputError: it is not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise InputError(
            f"{path}:{line}: not UTF-8. Save the card as UTF-8, or delete it to have it made anew."
        ) from None
