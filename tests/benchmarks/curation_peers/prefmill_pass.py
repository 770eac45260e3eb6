"""One of our stages over a Parquet file, without a runner: its functions as workers call them.

STAGE CONFIG_JSON PARQUET OUT: the text column is the answer and the prompt of a row, other columns
are taken as they are. Parts, the row groups of the file, go through as many threads as there are
cores, sketches lie on disk as a runner has them. Everything runs once on a few rows first: compiled
code is read from Numba's cache then, as it is in a worker. Of a stage with both, only the dataset
pass runs.
Writes the ids and scores of the rows that stay, and what is said of the others.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from costs import measured, peak_mb

from pipeline.inputs.readers import read_given
from pipeline.runtime.garbage import give_back_memory
from pipeline.runtime.pandas_later import leave_pandas_out
from schemas.arrow import arrow_schema
from schemas.batch import Batch
from schemas.columns import MESSAGES

WARM_ROWS = 50
CORES = len(os.sched_getaffinity(0))


class Context:
    """What a stage is told beside its rows, see `schemas.stage.PassContext`."""

    def __init__(self, stage: str, given: dict[str, pa.Table]) -> None:
        self.stage, self.recipe_seed = stage, 7
        self.before: pa.Table | None = None
        self._given, self._made = given, dict[str, Any]()
        self._lock = threading.RLock()

    def after(self, before: pa.Table | None) -> Context:
        """The same in a round that follows a decision."""
        later = copy(self)
        later.before = before
        return later

    def given(self, name: str) -> pa.Table:
        return self._given[name]

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        with self._lock:
            if name not in self._made:
                self._made[name] = make()
            return self._made[name]


def seen_by(stage: Any, table: pa.Table) -> pa.Table:
    """The columns that a stage reads, and for a dataset pass after a run those that it wrote."""
    columns = {"row_id": table["row_id"]}
    drafted = stage.writes if stage.run and stage.dataset_pass else ()
    for column in (*stage.reads, *stage.optional, *drafted):
        if column.name in table.column_names:
            columns[column.name] = table[column.name]
        elif column.name == "messages":
            columns[column.name] = _conversations(table["text"].combine_chunks())
        elif column in stage.reads:
            columns[column.name] = table["text"].cast(pa.string())
    return pa.table(columns)


def _conversations(texts: pa.Array) -> pa.Array:
    kind = arrow_schema((MESSAGES,)).field(0).type
    turn = kind.value_type
    fields = {"role": pa.array(["user"] * len(texts)), "content": texts}
    turns = pa.StructArray.from_arrays(
        [fields[f.name].cast(f.type) for f in turn], fields=list(turn)
    )
    return pa.ListArray.from_arrays(pa.array(np.arange(len(texts) + 1, dtype=np.int32)), turns)


class Parts:
    """The row groups of a Parquet file, each read by the thread that needs it.

    With `rows` there is one part: the beginning of the first group.
    """

    def __init__(self, path: Path, rows: int | None = None) -> None:
        found = pq.read_metadata(path)
        sizes = [found.row_group(n).num_rows for n in range(found.num_row_groups)]
        self._path, self._sizes = path, [min(rows, sizes[0])] if rows else sizes
        self._starts = np.concatenate([[0], np.cumsum(self._sizes)])

    def __len__(self) -> int:
        return len(self._sizes)

    def read(self, number: int) -> pa.Table:
        """The rows of a part."""
        group = pq.ParquetFile(self._path).read_row_group(number, use_threads=False)
        return group.slice(0, self._sizes[number])

    def of(self, table: pa.Table, number: int) -> pa.Table:
        """Of a table with a row for each row of the file, those of a part."""
        return table.slice(self._starts[number], self._sizes[number])


def over(
    stage: Any, config: Any, context: Context, path: Path, scratch: Path, rows: int | None = None
) -> tuple[list[Batch], dict[str, Any]]:
    """The batches that stay, and the figures of the decision of the last round."""
    work, parts = stage.dataset_pass, Parts(path, rows)
    if work is None:
        return in_order(
            lambda n: stage.run(batch_of(stage, parts.read(n)), config, context), parts
        ), {}
    before: pa.Table | None = None

    def sketch(number: int) -> pa.Table:
        mine = before and parts.of(before, number)
        batch = batch_of(stage, parts.read(number))
        made = work.sketch(batch, config, context.after(mine))
        return mapped(made, scratch / f"{number}.arrow")

    again, figures = True, dict[str, Any]()
    while again:
        sketches = pa.concat_tables(in_order(sketch, parts))
        give_back_memory()
        decision = work.decide(sketches, config, context.after(before))
        before = mapped(decision.rows, scratch / "decision.arrow")
        again, figures = decision.again, dict(decision.figures)
        del sketches, decision  # parts are applied by tasks that never saw them

    def apply(number: int) -> Batch:
        batch = batch_of(stage, parts.read(number))
        done: Batch = work.apply(batch, parts.of(before, number), config)
        return done

    return in_order(apply, parts), figures


def batch_of(stage: Any, table: pa.Table) -> Batch:
    """What a stage sees of a part."""
    return Batch(seen_by(stage, table))


def mapped(table: pa.Table, path: Path) -> pa.Table:
    """A table written to a file and mapped from it."""
    path.unlink(missing_ok=True)  # what is still mapped from it stays as it was
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return pa.ipc.open_file(pa.memory_map(str(path))).read_all()


def in_order(work: Callable[[int], Any], parts: Parts) -> list[Any]:
    """Results in the order of the parts, as many of which are worked on as there are cores."""
    with ThreadPoolExecutor(CORES) as pool:
        return list(pool.map(work, range(len(parts))))


def main() -> None:
    """Run once on a few rows, then on all."""
    name, settings, file, out = sys.argv[1:]
    leave_pandas_out()  # as in a worker
    record = importlib.import_module(f"stages.{name}").STAGE
    config = record.config.model_validate_json(settings)
    stage = record.fit(config)
    given = {key: read_given(feed, Path()) for key, feed in record.given(config).items()}
    with tempfile.TemporaryDirectory(dir=Path(out).parent) as folder:
        over(stage, config, Context(name, given), Path(file), Path(folder), WARM_ROWS)
        with measured() as said:
            said["start_mb"] = peak_mb()
            done, figures = over(stage, config, Context(name, given), Path(file), Path(folder))
            said["kept"] = sum(batch.table.num_rows for batch in done)
        kept = pa.concat_tables(batch.table for batch in done)
        plain = [f.name for f in kept.schema if not pa.types.is_nested(f.type)]
        pq.write_table(kept.select(plain), out)
        rejects = {r.row_id: r.message for batch in done for r in batch.rejects}
        told = json.dumps({"figures": figures, "rejects": rejects}, default=str)
        Path(out).with_suffix(".json").write_text(told)


if __name__ == "__main__":
    main()
