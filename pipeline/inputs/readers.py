"""Reads what `schemas.stage.Records` describes, for sources that start from files.

Trouble with a file (missing, empty, of the wrong kind, without a wanted column) raises InputError
at once. Trouble with one record goes into RAW_PROBLEM as `code: what is wrong`, with its place;
the stage's Config decides whether that ends the run.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.files import file_digest
from pipeline.inputs.records.base import Record, reading
from pipeline.inputs.records.columnar import read_arrow, read_parquet, read_table
from pipeline.inputs.records.hub import hub_digest, is_saved_dataset, read_hub, saved_data_files
from pipeline.inputs.records.text import read_csv, read_json, read_json_lines
from schemas.arrow import arrow_schema
from schemas.columns import RAW_PLACE, RAW_PROBLEM, RAW_RECORD, ROW_ID
from schemas.errors import InputError
from schemas.ids import digest, source_id
from schemas.stage import Given, Records

if TYPE_CHECKING:
    import pyarrow as pa

_READERS: dict[str, Callable[[Path, str, Sequence[str]], Iterator[Record]]] = {
    "jsonl": read_json_lines,
    "json": read_json,
    "csv": read_csv,
    "tsv": partial(read_csv, delimiter="\t"),
    "parquet": read_parquet,
    "arrow": read_arrow,
}
_FORMATS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".ipc": "arrow",
    ".feather": "arrow",
}
_CANONICAL = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str
)
_GIVEN_ROWS = 10_000
_GZIPPED = frozenset(("jsonl", "json", "csv", "tsv"))


def read_records(
    feed: Records, base: Path, recipe_seed: int, step_name: str, batch_rows: int
) -> Iterator[pa.Table]:
    """Read the records of a feed in order.

    A record's identity is its content and how many equal records came before it, so a line added
    elsewhere moves no other row. Of the records read, only a digest each is kept.

    Args:
        feed: what to read.
        base: folder that relative paths start from.
        recipe_seed: part of the rows' identity.
        step_name: part of the rows' identity.
        batch_rows: rows of each table but the last.

    Yields:
        Tables of `row_id`, RAW_RECORD, RAW_PLACE and RAW_PROBLEM.

    Raises:
        InputError: a file that cannot be used, or no records at all.
    """
    import pyarrow as pa

    schema = arrow_schema((ROW_ID, RAW_RECORD, RAW_PLACE, RAW_PROBLEM))
    earlier: Counter[str] = Counter()
    rows = (
        _row(record, feed.fields, earlier, recipe_seed, step_name)
        for record in islice(_open(feed, base), feed.limit)
    )
    read = 0
    while chunk := list(islice(rows, batch_rows)):
        read += len(chunk)
        yield pa.Table.from_pylist(chunk, schema=schema)
    if not read:
        raise InputError(f"{feed.path}: no records in it; a source needs at least one")


def count_records(feed: Records, base: Path) -> int | None:
    """How many records a feed has; None for a dataset on the hub. Reads all but Parquet files.

    Raises:
        InputError: a file that cannot be used.
    """
    local = _local(feed, base)
    if _is_dataset(feed, local):
        return None if local is None else sum(1 for _ in islice(_open(feed, base), feed.limit))
    count = 0
    for path, kind in _files(feed, base):
        left = None if feed.limit is None else feed.limit - count
        count += _count(path, _name(path, base), kind, left)
    return count


def _count(path: Path, name: str, kind: str, most: int | None) -> int:
    if kind != "parquet":
        return sum(1 for _ in islice(_read(path, name, kind, ()), most))
    import pyarrow.parquet as pq

    with reading(name):
        rows = int(pq.read_metadata(path).num_rows)
    return rows if most is None else min(rows, most)


def records_digest(feed: Records, base: Path) -> str:
    """Identity of a feed's content: the bytes of its files, or a hub dataset's commit.

    Where the files lie and what they are called plays no part, but for their order.

    Raises:
        InputError: a file is missing or of an unknown kind, or the hub cannot be asked.
    """
    local = _local(feed, base)
    if _is_dataset(feed, local):
        if local is None:
            return hub_digest(feed.path, dict(feed.options))
        files = saved_data_files(local) if is_saved_dataset(local) else _all_files(local)
    else:
        files = [path for path, _ in _files(feed, base)]
    return digest("files", *(_file_digest(path, base) for path in files))


def _file_digest(path: Path, base: Path) -> str:
    with reading(_name(path, base)):
        return file_digest(path)


def content_digest(given: Given, base: Path) -> str:
    """The same of any files that a stage needs."""
    return records_digest(_as_records(given), base)


def read_given(given: Given, base: Path) -> pa.Table:
    """Read the files that a stage needs beside its rows.

    Returns:
        For `Records` RAW_RECORD, RAW_PLACE and RAW_PROBLEM; for `Tables` the columns of the files,
        which must be the same in each.

    Raises:
        InputError: a file that cannot be used, or no records at all.
    """
    import pyarrow as pa

    if isinstance(given, Records):
        rows = pa.concat_tables(read_records(given, base, 0, "", _GIVEN_ROWS))
        return rows.drop_columns([ROW_ID.name])
    files = _files(_as_records(given), base)
    tables = [read_table(path, _name(path, base), kind) for path, kind in files]
    for (path, _), table in zip(files, tables, strict=True):
        if table.schema != tables[0].schema:
            raise InputError(
                f"{_name(path, base)}: its columns are {table.schema.names}, those of "
                f"{_name(files[0][0], base)} {tables[0].schema.names}; one table needs one schema"
            )
    return pa.concat_tables(tables)


def _as_records(given: Given) -> Records:
    return given if isinstance(given, Records) else Records(given.path)


def data_files(path: Path) -> list[Path]:
    """The file itself, or the files of a folder whose endings are known, sorted by path."""
    return [path] if path.is_file() else [file for file in _all_files(path) if _format(file)]


def read_file(path: Path) -> Iterator[Record]:
    """Records of one file with all their fields, its format told by its ending.

    Raises:
        InputError: the file is empty, cannot be read, or has an unknown ending.
    """
    yield from _read(path, path.name, _chosen_format(Records(str(path)), path), ())


def _row(
    record: Record,
    wanted: Sequence[str],
    earlier: Counter[str],
    recipe_seed: int,
    step_name: str,
) -> dict[str, str | None]:
    fields = {name: record.fields.get(name) for name in wanted} if wanted else record.fields
    text = record.raw if record.problem else _canonical(fields)
    content = digest("record", text)
    row_id = source_id(recipe_seed, step_name, content, earlier[content])
    earlier[content] += 1
    problem = record.problem or _text_problem(fields, text)
    return {
        ROW_ID.name: row_id,
        RAW_RECORD.name: _encodable(text),
        RAW_PLACE.name: record.place,
        RAW_PROBLEM.name: problem and _encodable(problem),
    }


def _encodable(text: str) -> str:
    """The text with lone surrogates, which Arrow cannot hold, as backslash escapes."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def _canonical(fields: dict[str, Any]) -> str:
    """The same text for the same values, whatever the file's format and the keys' order."""
    return _CANONICAL.encode(fields)


def _text_problem(fields: dict[str, Any], canonical: str) -> str | None:
    """What no tokenizer and no Parquet reader can be trusted with."""
    if canonical.isascii() and "\\u0000" not in canonical:
        return None
    for name, value in fields.items():
        for part in (name, *_texts(value)):
            if "\0" in part:
                return f"nul_character: field `{name}` holds U+0000 at {part.index(chr(0))}"
            try:
                part.encode("utf-8")
            except UnicodeEncodeError as error:
                return (
                    f"lone_surrogate: field `{name}` holds half a character, "
                    f"U+{ord(part[error.start]):04X}, at {error.start}"
                )
    return None


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield str(key)
            yield from _texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)


def _open(feed: Records, base: Path) -> Iterator[Record]:
    local = _local(feed, base)
    if _is_dataset(feed, local):
        yield from read_hub(feed.path, local, dict(feed.options), feed.fields)
        return
    for path, kind in _files(feed, base):
        yield from _read(path, _name(path, base), kind, feed.fields)


def _read(path: Path, name: str, kind: str, fields: Sequence[str]) -> Iterator[Record]:
    with reading(name):
        if path.stat().st_size == 0:
            raise InputError(f"{name}: the file is empty")
        yield from _READERS[kind](path, name, fields)


def _local(feed: Records, base: Path) -> Path | None:
    path = base / Path(feed.path).expanduser()
    return path if path.exists() else None


def _is_dataset(feed: Records, local: Path | None) -> bool:
    if feed.format == "hf":
        return True
    return feed.format == "auto" and local is not None and is_saved_dataset(local)


def _name(path: Path, base: Path) -> str:
    """A file as messages call it: relative to the recipe's folder if it lies there."""
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else str(path)


def _files(feed: Records, base: Path) -> list[tuple[Path, str]]:
    """The files of a feed with their formats, sorted by path."""
    local = _local(feed, base)
    if local is not None and local.is_dir():
        return _of_one_format(feed, ((path, _format(path)) for path in _all_files(local)))
    if local is not None:
        return [(local, _chosen_format(feed, local))]
    pattern = base / Path(feed.path).expanduser()
    found = Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor)))
    files = sorted(path for path in found if path.is_file() and path.name[0] != ".")
    if not files:
        raise InputError(
            f"{feed.path}: no such file or folder, seen from {base}. Relative paths start from the "
            "recipe's folder; a dataset on the hub needs `format: hf`."
        )
    return [(path, _chosen_format(feed, path)) for path in files]


def _all_files(folder: Path) -> list[Path]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in files if not _is_hidden(path.relative_to(folder)))


def _is_hidden(path: Path) -> bool:
    return any(part.startswith((".", "_")) for part in path.parts)


def _of_one_format(
    feed: Records, files: Iterable[tuple[Path, str | None]]
) -> list[tuple[Path, str]]:
    """A folder's data files; what else lies there, e.g. a README, is passed over."""
    known = [(path, kind) for path, kind in files if kind and feed.format in ("auto", kind)]
    kinds = sorted({kind for _, kind in known})
    if len(kinds) != 1:
        seen = f"files of several formats: {', '.join(kinds)}" if kinds else "no data files"
        raise InputError(
            f"{feed.path}: the folder holds {seen}. Known endings: {', '.join(_FORMATS)}; "
            "say which format is meant with `format`, or give a glob."
        )
    return known


def _format(path: Path) -> str | None:
    gzipped = path.suffix == ".gz"
    kind = _FORMATS.get((path.with_suffix("") if gzipped else path).suffix.lower())
    return None if gzipped and kind not in _GZIPPED else kind


def _chosen_format(feed: Records, path: Path) -> str:
    kind = _format(path) if feed.format == "auto" else feed.format
    if kind not in _READERS:
        raise InputError(
            f"{path.name}: cannot tell its format from the ending. Known endings: "
            f"{', '.join(_FORMATS)}, and .gz after the text formats; or set `format` to one of "
            f"{', '.join(_READERS)}, hf."
        )
    return kind
