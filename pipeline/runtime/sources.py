"""Cutting the rows of a source into parts."""

from __future__ import annotations

from pathlib import Path

from pipeline.runtime.keyed import KeyedStep
from pipeline.runtime.partfile import reject_table
from pipeline.runtime.reports import PartReport
from schemas.stage import Positions


def cut_source(keyed: KeyedStep, base: Path, part_rows: int, recipe_seed: int) -> list[int]:
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

        sizes = []
        inputs, nothing = keyed.folder.inputs(), reject_table(())
        for rows in read_records(feed, base, recipe_seed, keyed.step.name, part_rows):
            count = rows.num_rows
            inputs.commit(PartReport(len(sizes), count, count), rows, nothing)
            sizes.append(count)
    keyed.folder.write_layout(sizes)
    return sizes


def needs_inputs(keyed: KeyedStep) -> bool:
    """Whether the parts of a source are made from raw records that are kept in its folder."""
    return not isinstance(keyed.feed, Positions)
