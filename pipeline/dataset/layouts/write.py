"""Write views of a dataset to a folder, all of it or nothing, without ever holding the rows.

<folder>/<config>/<split>.jsonl                           JSON lines, or
<folder>/<config>/<split>-00000-of-000NN.parquet          shards as the Hub has them
<folder>/export.json                                      what was written; marks it as ours
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.dataset.layouts.choose import Choice, Wish, choose_views
from pipeline.dataset.layouts.record import KINDS, CannotHold, Layout, Made, Row
from pipeline.dataset.layouts.turns import check_row
from pipeline.dataset.read import DatasetFolder
from pipeline.dataset.shards import row_groups, write_shards
from pipeline.dataset.swap import OLD, swap
from pipeline.files import read_json, write_json
from schemas.arrow import arrow_schema, check_no_nulls
from schemas.columns import ROW_ID, Column
from schemas.errors import ExportRefused, InputError

if TYPE_CHECKING:
    import pyarrow as pa

MARK = "export.json"
_FORMAT = "prefmill-export-1"


def usual_folder(dataset: DatasetFolder, layout: Layout) -> Path:
    """Where an export goes if nobody says: `<run>/exports/<layout>`."""
    path = dataset.path
    exports = "exports" if path.name in ("dataset", OLD) else f"{path.name}-exports"
    return path.parent / exports / layout.name


def write_export(
    dataset: DatasetFolder, layout: Layout, wishes: Sequence[Wish], folder: Path
) -> list[Made]:
    """Write the configs that `wishes` ask for to `folder`, in place of an earlier export there.

    Raises:
        InputError: the layout cannot hold them, there are no rows, the dataset's files are not as
            they were written, something that is no export stands in the place, or the disk is full.
        ExportRefused: a row breaks a rule of the layout.
    """
    columns = {name: facts["columns"] for name, facts in dataset.manifest["configs"].items()}
    chosen = [
        (choice, _splits(dataset, choice.config, wish.split))
        for wish in wishes
        for choice in choose_views(columns, layout, wish)
    ]
    _refuse_foreign(folder)
    place = folder.resolve()
    fresh = place.with_name(f".{place.name}.new")
    try:
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        made = [_write_view(dataset, layout, choice, splits, fresh) for choice, splits in chosen]
        for name, text in layout.companions(made).items():
            (fresh / name).write_text(text, encoding="utf-8", newline="\n")
        write_json(fresh / MARK, _mark(layout, made))
        swap(fresh, place, f".{place.name}.old")
    except OSError as error:
        raise InputError(
            f"{error.filename or folder}: {error.strerror or error}. Nothing half-written is kept; "
            f"what was in {folder} is still there. Free some space, or choose another --out."
        ) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return [replace(one, at=folder.as_posix()) for one in made]


def _mark(layout: Layout, made: Sequence[Made]) -> dict[str, Any]:
    return {
        "format": _FORMAT,
        "layout": layout.name,
        "configs": {
            one.name: {
                "config": one.config,
                "task": one.view.tasks[0],
                "form": one.view.form,
                "columns": list(one.columns),
                "rows": dict(one.rows),
            }
            for one in made
        },
    }


def _refuse_foreign(folder: Path) -> None:
    if folder.resolve() == Path.cwd():  # it is replaced as a whole, and one would stand in nothing
        raise InputError(f"{folder} is the current folder: name one inside it with --out")
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    mark = read_json(folder / MARK) if folder.is_dir() else None
    if mark is None or mark.get("format") != _FORMAT:
        raise InputError(
            f"{folder} exists and holds no export written by prefmill (no {MARK}); it is left "
            "alone. Move it away or choose another --out."
        )


def _splits(dataset: DatasetFolder, config: str, wanted: str | None) -> list[str]:
    """The splits to write, none of them empty."""
    rows = dataset.splits(config)
    if wanted and wanted not in rows:
        raise InputError(f"`{config}` has no split `{wanted}`; it has {', '.join(rows)}")
    full = [split for split in rows if rows[split] and wanted in (None, split)]
    if not full:
        where = f"`{config}` in {dataset.path}" + (f", split `{wanted}`," if wanted else "")
        raise InputError(
            f"{where} has no rows: there is nothing to export. `prefmill status --rejects` "
            "on the run says what it turned away."
        )
    return full


def _write_view(
    dataset: DatasetFolder, layout: Layout, choice: Choice, splits: Sequence[str], fresh: Path
) -> Made:
    columns = [
        column
        for column in choice.view.columns
        if not column.nullable or _is_complete(dataset, choice.config, splits, column.name)
    ]
    target = fresh / choice.name / layout.inside
    target.mkdir(parents=True)
    rows = {}
    for split in splits:
        groups = row_groups(
            _view_tables(dataset, layout, choice, split, columns), arrow_schema(columns)
        )
        name = split + layout.split_suffix
        write = _write_lines if layout.files == "jsonl" else _write_parquet
        rows[name] = write(target, name, groups)
    return Made(choice.name, choice.config, choice.view, tuple(c.name for c in columns), rows)


def _is_complete(dataset: DatasetFolder, config: str, splits: Iterable[str], column: str) -> bool:
    """Whether every row has a value, in all splits: consumers want the same columns in each."""
    return not any(
        table.column(column).null_count
        for split in splits
        for table in _tables(dataset, config, split, (column,))
    )


def _tables(
    dataset: DatasetFolder, config: str, split: str, columns: Sequence[str]
) -> Iterator[pa.Table]:
    """The rows of a split as they were written, or InputError."""
    import pyarrow as pa

    rows, due = 0, dataset.splits(config)[split]
    try:
        for table in dataset.tables(config, split, columns):
            if missing := set(columns) - set(table.column_names):
                raise InputError(_changed(dataset, config, split, f"has no column {missing.pop()}"))
            rows += table.num_rows
            yield table
    except pa.ArrowException as error:
        raise InputError(_changed(dataset, config, split, f"cannot be read: {error}")) from error
    if rows != due:
        raise InputError(_changed(dataset, config, split, f"has {rows:,} rows, not {due:,}"))


def _changed(dataset: DatasetFolder, config: str, split: str, how: str) -> str:
    return (
        f"{dataset.path / config}: split `{split}` is not as prefmill wrote it: it {how}. "
        "Make the dataset again (`prefmill run` with the same recipe and --out), or fetch it anew."
    )


def _view_tables(
    dataset: DatasetFolder,
    layout: Layout,
    choice: Choice,
    split: str,
    columns: Sequence[Column],
) -> Iterator[pa.Table]:
    import pyarrow as pa

    view, schema = choice.view, arrow_schema(columns)
    reads = [column.name for column in (ROW_ID, *KINDS[view.kind], *view.reads)]
    seen: set[bytes] = set()
    for table in _tables(dataset, choice.config, split, reads):
        rows = [_row(row, layout, choice) for row in table.to_pylist()]
        if view.once:
            rows = [row for row in rows if _is_new(row, seen)]
        made = pa.Table.from_pylist(rows, schema=schema)
        check_no_nulls(made, f"layout `{layout.name}`, `{choice.config}`")
        yield made


def _row(row: Row, layout: Layout, choice: Choice) -> Row:
    try:
        check_row(row, choice.view.kind)
        return choice.view.make(row)
    except CannotHold as fault:
        raise ExportRefused(
            f"row {row[ROW_ID.name]} of `{choice.config}` cannot be written in layout "
            f"`{layout.name}`: {fault}. No export is written."
        ) from None


def _is_new(row: Row, seen: set[bytes]) -> bool:
    digest = blake2b(json.dumps(row).encode(), digest_size=16).digest()
    is_new = digest not in seen
    seen.add(digest)
    return is_new


def _write_lines(folder: Path, split: str, groups: Iterator[pa.Table]) -> int:
    rows = 0
    encode = partial(json.dumps, ensure_ascii=False)
    with (folder / f"{split}.jsonl").open("w", encoding="utf-8", newline="\n") as file:
        for group in groups:
            rows += group.num_rows
            file.writelines(f"{encode(row)}\n" for row in group.to_pylist())
    return rows


def _write_parquet(folder: Path, split: str, groups: Iterator[pa.Table]) -> int:
    import pyarrow.parquet as pq

    first = next(groups)
    shards = write_shards(folder, split, first.schema, chain((first,), groups))
    return sum(pq.read_metadata(path).num_rows for path in shards)
