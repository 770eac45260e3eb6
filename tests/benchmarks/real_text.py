"""Real text for benchmarks, from a folder that the user names; none of it is part of the project.

Any JSON lines, JSON list, CSV, Parquet or Arrow file will do. Each text of a record counts for
itself: a question and its answer are two documents.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pipeline.inputs.readers import read_file
from schemas.errors import InputError

VARIABLE = "PREFMILL_BENCH_DATA"
KINDS = (".jsonl", ".jsonl.gz", ".json", ".parquet", ".arrow", ".csv")
SHORTEST = 12
"""Words of the shortest text that is taken: word 5-grams of shorter ones say little."""


def data_option(parser: argparse.ArgumentParser) -> None:
    """Add `--data`."""
    parser.add_argument(
        "--data",
        type=Path,
        default=os.environ.get(VARIABLE),
        required=VARIABLE not in os.environ,
        help=f"folder with real text (or set {VARIABLE})",
    )


def documents(folder: Path, without: Sequence[str] = ()) -> list[str]:
    """Every different text of at least SHORTEST words, in the order of files and records.

    Files named in `without` are left out. White space is left as it is, but for what only some
    splitters take for white space.
    """
    found: dict[str, None] = {}
    for fields in records(folder, without):
        for text in _texts(fields):
            text = text.encode("utf-8", "replace").decode()
            words = text.split()
            if len(words) >= SHORTEST:
                found[text if _plain(text, words) else " ".join(words)] = None
    if not found:
        raise SystemExit(f"{folder} holds no text: it needs files ending on {', '.join(KINDS)}")
    return list(found)


def records(folder: Path, without: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
    """The fields of every readable record."""
    for path in sorted(folder.iterdir()):
        if path.name.endswith(KINDS) and path.name not in without:
            try:
                yield from (r.fields for r in read_file(path) if not r.problem)
            except InputError as error:
                print(f"left out: {error}")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _plain(text: str, words: list[str]) -> bool:
    """True if ASCII white space alone gives the same words."""
    return text.encode().split() == [word.encode() for word in words]
