"""Write the dataset folder: Parquet shards, card and manifest, all of it or nothing.

    <out>/dataset/README.md                               the card
    <out>/dataset/manifest.json                           facts, counts, checksums
    <out>/dataset/<config>/train-00000-of-000NN.parquet

Everything is built in `<out>/.dataset.new` and renamed into place. The same rows give the same
bytes, however they were cut into parts: row groups have a fixed number of rows, and shards are
cut by the bytes written. Content-defined chunking keeps unchanged stretches byte for byte from
one release to the next, which makes uploads to the Hugging Face Hub cheap.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.dataset.card import ConfigFacts, RunFacts, render_card
from pipeline.dataset.ordering import in_order
from pipeline.files import file_digest, read_json, write_json
from schemas.arrow import arrow_schema, check_no_nulls
from schemas.columns import ROW_ID, Column
from schemas.errors import InputError
from schemas.layouts import LABEL, ORDER

if TYPE_CHECKING:
    import pyarrow as pa

ROW_GROUP_ROWS = 4096
"""Some tens of MB uncompressed for pairs of long answers."""

SHARD_BYTES = 400 * 10**6
"""A shard ends after the row group that passes this; shards so stay below 500 MB."""

_FORMAT = "prefmill-dataset-1"
_CHUNKING_SINCE = 21  # pyarrow


@dataclass(frozen=True, slots=True)
class ConfigRows:
    """The rows of one dataset config.

    Attributes:
        columns: what the files hold after `row_id`, in this order: the exporter's `writes`. With
            `ORDER` among them the rows are sorted by it, and it is left out of the files.
        tables: the rows, part by part; columns beyond `columns` are left out.
    """

    columns: tuple[Column, ...]
    tables: Iterable[pa.Table]


def write_dataset(out: Path, configs: Mapping[str, ConfigRows], run: RunFacts) -> Path:
    """Write `<out>/dataset`, in place of an earlier one; returns its path.

    Raises:
        InputError: `<out>/dataset` exists and is not a dataset that prefmill wrote.
        ContractError: a null in a column that allows none.
    """
    target, fresh = out / "dataset", out / ".dataset.new"
    refuse_foreign(target)
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    try:
        facts = [_write_config(fresh, name, rows) for name, rows in configs.items()]
        (fresh / "README.md").write_text(render_card(run, facts), encoding="utf-8", newline="\n")
        write_json(fresh / "manifest.json", _manifest(fresh, run, facts))
        _swap(fresh, target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return target


def is_current(out: Path, run: RunFacts) -> bool:
    """True if `<out>/dataset` is what `run` made, every file as it was written."""
    folder = out / "dataset"
    manifest = read_json(folder / "manifest.json")
    if manifest is None or manifest.get("run") != json.loads(json.dumps(asdict(run))):
        return False
    return all(
        (folder / name).is_file() and file_digest(folder / name) == facts["blake2b_128"]
        for name, facts in manifest["files"].items()
    )


def refuse_foreign(target: Path) -> None:
    """Raise InputError if something stands at `target` that prefmill did not write."""
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    manifest = read_json(target / "manifest.json") if target.is_dir() else None
    if manifest is None or manifest.get("format") != _FORMAT:
        raise InputError(
            f"{target} exists and holds no dataset written by prefmill (no manifest.json with "
            f'format "{_FORMAT}"); it is left alone. Move it away or choose another --out.'
        )


def _swap(fresh: Path, target: Path) -> None:
    """Put `fresh` in the place of `target`: a reader finds the old, the new or none, never half."""
    old = target.with_name(".dataset.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    fresh.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _manifest(folder: Path, run: RunFacts, facts: Sequence[ConfigFacts]) -> dict[str, Any]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        "format": _FORMAT,
        "run": asdict(run),
        "configs": {
            config.name: {
                "rows": config.rows,
                "columns": [column.name for column in config.columns],
            }
            for config in facts
        },
        "files": {
            path.relative_to(folder).as_posix(): {
                "bytes": path.stat().st_size,
                "blake2b_128": file_digest(path),
            }
            for path in files
        },
    }


def _write_config(folder: Path, name: str, rows: ConfigRows) -> ConfigFacts:
    columns = (ROW_ID, *(column for column in rows.columns if column is not ORDER))
    schema = arrow_schema(columns)
    is_ordered = ORDER in rows.columns
    tables = in_order(rows.tables, folder / ".order") if is_ordered else rows.tables
    checked = (_checked(table, schema, name) for table in tables)
    target = folder / name
    target.mkdir()
    _write_shards(target, schema, row_groups(checked, schema))
    return _facts(name, columns, target)


def _checked(table: pa.Table, schema: pa.Schema, name: str) -> pa.Table:
    """The columns of `schema`, none of them with a null that it does not allow."""
    import pyarrow as pa

    plain = pa.Table.from_arrays(table.select(schema.names).columns, schema=schema)
    check_no_nulls(plain, f"dataset config `{name}`")
    return plain


def _facts(name: str, columns: tuple[Column, ...], folder: Path) -> ConfigFacts:
    """What was written, as the files themselves say."""
    import pyarrow.parquet as pq

    shards = sorted(folder.iterdir())
    footers = [pq.read_metadata(path) for path in shards]
    groups = [footer.row_group(i) for footer in footers for i in range(footer.num_row_groups)]
    n_desirable = None
    if LABEL in columns:
        labels = (pq.read_table(path, columns=[LABEL.name]).column(0) for path in shards)
        n_desirable = sum(label.to_pylist().count(True) for label in labels)
    return ConfigFacts(
        name=name,
        columns=columns,
        rows=sum(footer.num_rows for footer in footers),
        num_bytes=sum(group.total_byte_size for group in groups),
        download_size=sum(path.stat().st_size for path in shards),
        n_desirable=n_desirable,
    )


def row_groups(
    tables: Iterable[pa.Table], schema: pa.Schema, size: int = ROW_GROUP_ROWS
) -> Iterator[pa.Table]:
    """The same rows in tables of `size`; the last may be smaller, and there is always one."""
    import pyarrow as pa

    waiting = schema.empty_table()
    for table in tables:
        waiting = pa.concat_tables([waiting, table])
        while waiting.num_rows > size:
            yield waiting.slice(0, size).combine_chunks()
            waiting = waiting.slice(size)
    yield waiting.combine_chunks()


def _write_shards(folder: Path, schema: pa.Schema, groups: Iterator[pa.Table]) -> None:
    shards: list[Path] = []
    group = next(groups, None)
    while group is not None:
        shards.append(folder / f"{len(shards):05d}.parquet")
        group = _write_shard(shards[-1], schema, group, groups)
    for index, path in enumerate(shards):
        path.rename(folder / f"train-{index:05d}-of-{len(shards):05d}.parquet")


def _write_shard(
    path: Path, schema: pa.Schema, first: pa.Table, more: Iterator[pa.Table]
) -> pa.Table | None:
    """Write `first` and more row groups until the shard is full; returns the next, if any."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    options: dict[str, Any] = {"compression": "zstd", "write_page_index": True}
    if int(pa.__version__.split(".")[0]) >= _CHUNKING_SINCE:
        options["use_content_defined_chunking"] = True
    group: pa.Table | None = first
    with path.open("wb") as file, pq.ParquetWriter(file, schema, **options) as writer:
        while group is not None and file.tell() < SHARD_BYTES:
            writer.write_table(group, row_group_size=ROW_GROUP_ROWS)
            group = next(more, None)
    return group
