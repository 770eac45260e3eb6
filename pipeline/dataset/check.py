"""Whether a dataset folder is what its manifest says: every problem at once, rows streamed.

Of a card only what programs read is checked: its text is for people to edit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.dataset.check_card import card_problems
from pipeline.dataset.check_rows import row_problems
from pipeline.dataset.place import own_files
from pipeline.dataset.read import CARD, FORMAT, MANIFEST, DatasetFolder
from pipeline.files import file_digest
from schemas.errors import Problem

if TYPE_CHECKING:
    import pyarrow.parquet as pq

_SHARD = re.compile(r"(\w+)-(\d{5})-of-(\d{5})\.parquet")
_AGAIN = "take the file from a copy, or delete the dataset and run the recipe again"
_MANIFEST_WINS = f"if the file is as it should be, {MANIFEST} was changed; else {_AGAIN}"


def check_dataset(dataset: DatasetFolder) -> list[Problem]:
    """Everything that is wrong with a dataset folder, file by file; memory does not grow with the
    texts: 8 bytes a row stay, and 8 for its prompt.
    """
    if dataset.manifest["format"] != FORMAT:
        seen = f"format {dataset.manifest['format']}"
        advice = "use the prefmill that wrote it, or run its recipe again"
        return [Problem("", seen, FORMAT, advice, str(dataset.path / MANIFEST))]
    problems = [*_file_problems(dataset), *card_problems(dataset)]
    broken = {problem.file for problem in problems}
    readable: dict[str, list[str]] = {}
    for config in dataset.configs:
        found = list(_config_problems(dataset, config))
        problems += found
        splits = dataset.splits(config)
        shards = {str(path) for split in splits for path in dataset.shards(config, split)}
        if not found and not broken & shards:  # broken Parquet may fail anywhere in reading
            readable[config] = list(splits)
    return [*problems, *row_problems(dataset, readable)]


def _file_problems(dataset: DatasetFolder) -> Iterator[Problem]:
    stated = dataset.manifest["files"]
    found = own_files(dataset.path)
    for name in sorted({*stated, *found}):
        path = dataset.path / name
        if name not in found:
            yield Problem("", "missing", "a file of the dataset", _AGAIN, str(path))
        elif name not in stated:
            advice = "move it out of the dataset: a release or a push would take it along"
            yield Problem("", f"not in {MANIFEST}", "files of the dataset only", advice, str(path))
        elif name != CARD:
            yield from _content_problems(path, stated[name])


def _content_problems(path: Path, stated: dict[str, int | str]) -> Iterator[Problem]:
    size = path.stat().st_size
    if size != stated["bytes"]:
        expected = f"{stated['bytes']:,} bytes"
        yield Problem("", f"{size:,} bytes", expected, _MANIFEST_WINS, str(path))
    elif (found := file_digest(path)) != stated["blake2b_128"]:
        expected = f"{stated['blake2b_128']}"
        yield Problem("", f"checksum {found}", expected, _MANIFEST_WINS, str(path))


def _config_problems(dataset: DatasetFolder, config: str) -> Iterator[Problem]:
    """Shards, columns and counts of a config, by names and footers."""
    folder = dataset.path / config
    if not sum(dataset.splits(config).values()):
        advice = "look at what the stages rejected: prefmill status DIR --rejects"
        yield Problem(config, "no rows", "one row at least", advice, str(folder))
    for split, rows in dataset.splits(config).items():
        shards = dataset.shards(config, split)
        yield from _shard_problems(folder, split, [path.name for path in shards])
        footers = []
        for path in shards:
            footer = _footer(path)
            if isinstance(footer, Problem):
                yield footer
            else:
                footers.append((path, footer))
        yield from _footer_problems(dataset, config, split, footers)
        seen = sum(footer.num_rows for _, footer in footers)
        if seen != rows and len(footers) == len(shards):
            place = f"{config}/{split}"
            yield Problem(place, f"{seen:,} rows", f"{rows:,} rows", _MANIFEST_WINS, str(folder))


def _shard_problems(folder: Path, split: str, names: list[str]) -> Iterator[Problem]:
    """They are to be `<split>-00000-of-000NN.parquet`, each number once and none missing."""
    found = [_SHARD.fullmatch(name) for name in names]
    totals = sorted({int(each[3]) for each in found if each})
    if not names:
        expected = f"{split}-00000-of-000NN.parquet"
        yield Problem("", f"no file of the split `{split}`", expected, _AGAIN, str(folder))
    elif len(totals) != 1 or not all(found):
        advice = "keep those of one release only"
        yield Problem("", ", ".join(names), "names that agree", advice, str(folder))
    else:
        there = {int(each[2]) for each in found if each}
        for index in sorted(set(range(totals[0])) - there):
            path = folder / f"{split}-{index:05d}-of-{totals[0]:05d}.parquet"
            expected = f"shards 0 to {totals[0] - 1}"
            yield Problem("", "shard missing", expected, _AGAIN, str(path))


def _footer(path: Path) -> pq.FileMetaData | Problem:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_metadata(path)
    except (pa.ArrowInvalid, OSError) as error:
        return Problem("", f"unreadable: {error}", "a Parquet file", _AGAIN, str(path))


def _footer_problems(
    dataset: DatasetFolder, config: str, split: str, footers: list[tuple[Path, pq.FileMetaData]]
) -> Iterator[Problem]:
    columns = dataset.manifest["configs"][config]["columns"]
    for path, footer in footers:
        schema = footer.schema.to_arrow_schema()
        if schema.names != columns:
            seen, expected = ", ".join(schema.names), ", ".join(columns)
            yield Problem("columns", seen, expected, _MANIFEST_WINS, str(path))
        elif schema != footers[0][1].schema.to_arrow_schema():
            expected = f"those of {footers[0][0].name}"
            yield Problem("columns", "other types", expected, _AGAIN, str(path))
