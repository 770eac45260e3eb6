"""A small dataset to publish, and what a hub holds of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from pipeline.dataset.facts import RunFacts
from pipeline.dataset.read import DatasetFolder, open_dataset
from pipeline.dataset.write import ConfigRows, Release, write_dataset
from schemas.columns import Column
from schemas.layouts import LABEL, PROMPT
from schemas.recipe import Splits
from schemas.types import INT
from tests.hub_server import Hub

NUMBER = Column("number", INT, "a number")


def small_dataset(
    out: Path,
    numbers: Iterable[int] = range(40),
    *,
    release: int | None = None,
    license: str | None = "cc0-1.0",
    last: DatasetFolder | None = None,
) -> DatasetFolder:
    """Two configs, with a validation split; a row for each number."""
    rows = list(numbers)
    prompts = [[{"role": "user", "content": f"What comes after {i}?"}] for i in rows]
    ids = [f"{i:032x}" for i in rows]
    pairs = pa.table({"row_id": ids, "prompt": prompts, "number": pa.array(rows, pa.int64())})
    labels = pa.table({"row_id": ids, "prompt": prompts, "label": [i % 2 == 0 for i in rows]})
    configs = {
        "dpo": ConfigRows((PROMPT, NUMBER), lambda: [pairs]),
        "kto": ConfigRows((PROMPT, LABEL), lambda: [labels]),
    }
    run = RunFacts(name="small", recipe="name: small", versions={"prefmill": "1"}, license=license)
    facts = Release(Splits(validation=0.25), number=release, last=last)
    return open_dataset(write_dataset(out, configs, run, facts))


def command(dataset: DatasetFolder, *options: str) -> list[str]:
    """The arguments that publish to `me/data`, or where the options say."""
    is_elsewhere = any("://" in each or each.startswith(("/", "--repo-id")) for each in options)
    place = () if is_elsewhere else ("--repo-id", "me/data")
    return ["push", str(dataset.path), *place, *options]


def on_hub(dataset: DatasetFolder) -> dict[str, bytes]:
    """The files that a repo must hold besides `.gitattributes`."""
    files = (path for path in dataset.path.rglob("*") if path.is_file())
    return {path.relative_to(dataset.path).as_posix(): path.read_bytes() for path in files}


def held(hub: Hub, repo: str = "me/data") -> dict[str, bytes]:
    """The files that a repo holds besides `.gitattributes`."""
    return {path: c for path, c in hub.repo(repo).files.items() if path != ".gitattributes"}
