"""`releases.json`: what each release of a dataset added, and when, for people and programs."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.dataset.read import MANIFEST, DatasetFolder
from pipeline.files import read_json, write_json

LEDGER = "releases.json"


def rows_of(dataset: DatasetFolder) -> dict[str, int]:
    """Rows by config."""
    return {config: sum(dataset.splits(config).values()) for config in dataset.configs}


def rows_added(last: DatasetFolder | None, dataset: DatasetFolder) -> dict[str, int]:
    """Rows by config that the release before did not have."""
    before = rows_of(last) if last is not None else {}
    return {config: rows - before.get(config, 0) for config, rows in rows_of(dataset).items()}


def read_ledger(home: Path) -> list[dict[str, Any]]:
    """The releases that are recorded, oldest first."""
    entries: list[dict[str, Any]] = (read_json(home / LEDGER) or {}).get("releases", [])
    return entries


def record(home: Path, dataset: DatasetFolder) -> None:
    """Note a release unless that is done: number, time, rows, rows added and figures.

    What the release before it held is taken from its entry; without one, rows added are null.
    """
    entries = read_ledger(home)
    if any(entry["number"] == dataset.release for entry in entries):
        return
    before = {entry["number"]: entry["rows"] for entry in entries}
    earlier = {} if dataset.release == 1 else before.get(dataset.release - 1)
    rows = rows_of(dataset)
    entry = {
        "number": dataset.release,
        "time": _written(dataset),
        "rows": rows,
        "added": None
        if earlier is None
        else {config: n - earlier.get(config, 0) for config, n in rows.items()},
        "figures": dataset.figures,
    }
    write_json(home / LEDGER, {"releases": [*entries, entry]})


def _written(dataset: DatasetFolder) -> str:
    """When it was written, UTC: the file's own time, so that a note made later says the same."""
    changed = (dataset.path / MANIFEST).stat().st_mtime
    return datetime.fromtimestamp(changed, UTC).isoformat(timespec="seconds")
