"""One of our stages over a Parquet file, without a runner: its functions as workers call them.

STAGE CONFIG_JSON PARQUET OUT: the text column is the answer and the prompt of a row, other columns
are taken as they are. Parts go through as many threads as there are cores, sketches lie on disk as
a runner has them. Everything runs once on a few rows first: compiled code is read from Numba's
cache then, as it is in a worker. Of a stage with both, only the dataset pass runs.
Writes the ids and scores of the rows that stay, and what is said of the others.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from costs import measured, peak_mb

from pipeline.inputs.readers import read_given
from schemas.arrow import arrow_schema
from schemas.batch import Batch
from schemas.columns import MESSAGES

PART_ROWS, WARM_ROWS = 5000, 50
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


def parts_of(path: Path, rows: int | None = None) -> Iterator[pa.Table]:
    """The file in parts, some for each core; with `rows` only its beginning."""
    file = pq.ParquetFile(path)
    for batch in file.iter_batches(part_size(file, rows)):
        yield pa.table(batch)
        if rows:
            return


def part_size(file: pq.ParquetFile, rows: int | None) -> int:
    """Rows of a part."""
    return rows or min(PART_ROWS, -(-file.metadata.num_rows // (4 * CORES)))


def over(
    stage: Any, config: Any, context: Context, path: Path, scratch: Path, rows: int | None = None
) -> tuple[list[Batch], dict[str, Any]]:
    """The batches that stay, and the figures of the decision of the last round."""
    work = stage.dataset_pass
    if work is None:
        with ThreadPoolExecutor(CORES) as pool:
            run = partial(run_part, stage, config, context)
            return in_order(pool, run, parts_of(path, rows)), {}
    size = part_size(pq.ParquetFile(path), rows)
    before: pa.Table | None = None

    def sketch(number: int, part: pa.Table) -> pa.Table:
        mine = before and before.slice(number * size, part.num_rows)
        made = work.sketch(Batch(seen_by(stage, part)), config, context.after(mine))
        return mapped(made, scratch / f"{number}.arrow")

    while True:
        with ThreadPoolExecutor(CORES) as pool:
            sketches = in_order(pool, sketch, parts_of(path, rows))
        decision = work.decide(pa.concat_tables(sketches), config, context.after(before))
        before = decision.rows
        if not decision.again:
            break

    def apply(number: int, part: pa.Table) -> Batch:
        mine = before.slice(number * size, part.num_rows)
        done: Batch = work.apply(Batch(seen_by(stage, part)), mine, config)
        return done

    with ThreadPoolExecutor(CORES) as pool:
        return in_order(pool, apply, parts_of(path, rows)), dict(decision.figures)


def run_part(stage: Any, config: Any, context: Context, number: int, part: pa.Table) -> Batch:
    """A stage that looks at one row at a time."""
    done: Batch = stage.run(Batch(seen_by(stage, part)), config, context)
    return done


def mapped(table: pa.Table, path: Path) -> pa.Table:
    """A table written to a file and mapped from it."""
    path.unlink(missing_ok=True)  # what is still mapped from it stays as it was
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return pa.ipc.open_file(pa.memory_map(str(path))).read_all()


def in_order(
    pool: ThreadPoolExecutor, work: Callable[..., Any], parts: Iterator[pa.Table]
) -> list[Any]:
    """Results in the order of the parts, of which two for each core are in memory."""
    waiting: list[Any] = []
    done: list[Any] = []
    for number, part in enumerate(parts):
        waiting.append(pool.submit(work, number, part))
        if len(waiting) >= 2 * CORES:
            done.append(waiting.pop(0).result())
    return done + [future.result() for future in waiting]


def main() -> None:
    """Run once on a few rows, then on all."""
    name, settings, file, out = sys.argv[1:]
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
