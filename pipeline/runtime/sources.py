"""Cutting the rows of a source into parts."""

from __future__ import annotations

from pathlib import Path

from pipeline.runtime.keyed import KeyedStep
from pipeline.runtime.store import write_table
from schemas.stage import Positions


def open_source(keyed: KeyedStep, base: Path, part_rows: int, recipe_seed: int) -> list[int]:
    """Make a source's parts and record them; return the rows of each.

    Numbered rows need nothing on disk. Records of files are copied into the step's folder, part
    by part: workers need not reach the files, and a file that changes during a run harms nothing.
    """
    feed = keyed.feed
    assert feed is not None, "a source has a feed"
    if isinstance(feed, Positions):
        full, rest = divmod(feed.count, part_rows)
        sizes = [part_rows] * full + ([rest] if rest else [])
    else:
        from pipeline.inputs.readers import read_records

        keyed.folder.path.mkdir(parents=True, exist_ok=True)
        sizes = []
        for table in read_records(feed, base, recipe_seed, keyed.step.name, part_rows):
            write_table(keyed.folder.input_path(len(sizes)), table)
            sizes.append(table.num_rows)
    keyed.folder.write_layout(sizes)
    return sizes


def inputs_ready(keyed: KeyedStep, parts: set[int]) -> bool:
    """Whether the raw records of these parts are in place; they are removed with completion."""
    if isinstance(keyed.feed, Positions):
        return True
    return all(keyed.folder.input_path(part).exists() for part in parts)
