"""One of our stages over a Parquet file, without a runner: its dataset pass as workers do it.

STAGE CONFIG_JSON PARQUET OUT [NAME=FILE ...]: the text column is the answer and the prompt of a
row, `embedding` is taken as it is; further words name what the stage is given. Parts are sketched
in as many threads as there are cores, sketches lie on disk as a runner has them. Everything runs
once on a few rows first: compiled code is read from Numba's cache then, as it is in a worker.
Writes the ids and scores of the rows that stay, and what is said of the others.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from costs import measured

from pipeline.inputs.readers import read_given
from schemas.arrow import arrow_schema
from schemas.batch import Batch
from schemas.columns import MESSAGES

PART_ROWS, WARM_ROWS = 5000, 300


class Context:
    """What a stage is told beside its rows, see `schemas.stage.PassContext`."""

    def __init__(self, stage: str, given: dict[str, pa.Table]) -> None:
        self.stage, self.recipe_seed = stage, 7
        self.before: pa.Table | None = None
        self._given, self._made = given, dict[str, Any]()

    def after(self, before: pa.Table | None) -> Context:
        """The same in a round that follows a decision."""
        later = copy(self)
        later.before = before
        return later

    def given(self, name: str) -> pa.Table:
        return self._given[name]

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        if name not in self._made:
            self._made[name] = make()
        return self._made[name]


def seen_by(stage: Any, table: pa.Table) -> pa.Table:
    """The columns that a stage reads."""
    columns = {"row_id": table["row_id"]}
    for column in (*stage.reads, *stage.optional):
        if column.name == "messages":
            columns["messages"] = _conversations(table["text"].combine_chunks())
        elif column.name in table.column_names:
            columns[column.name] = table[column.name]
        else:
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
    """The file, PART_ROWS at a time; with `rows` only its beginning."""
    file = pq.ParquetFile(path)
    for batch in file.iter_batches(rows or PART_ROWS):
        yield pa.table(batch)
        if rows:
            return


def over(
    stage: Any, config: Any, context: Context, path: Path, scratch: Path, rows: int | None = None
) -> tuple[list[Batch], Any]:
    """The batches that stay, and the decision of the last round."""
    work = stage.dataset_pass
    lengths = [part.num_rows for part in parts_of(path, rows)]
    starts = np.concatenate([[0], np.cumsum(lengths)])
    before: pa.Table | None = None

    def sketch(number: int, part: pa.Table) -> pa.Table:
        mine = before and before.slice(starts[number], part.num_rows)
        made = work.sketch(Batch(seen_by(stage, part)), config, context.after(mine))
        return mapped(made, scratch / f"{number}.arrow")

    while True:
        with ThreadPoolExecutor(cores := len(os.sched_getaffinity(0))) as pool:
            sketches = in_order(pool, cores, sketch, parts_of(path, rows))
        decision = work.decide(pa.concat_tables(sketches), config, context.after(before))
        before = decision.rows
        if not decision.again:
            break
    done = []
    for start, part in zip(starts, parts_of(path, rows), strict=False):
        mine = before.slice(start, part.num_rows)
        done.append(work.apply(Batch(seen_by(stage, part)), mine, config))
    return done, decision


def mapped(table: pa.Table, path: Path) -> pa.Table:
    """A table written to a file and mapped from it."""
    path.unlink(missing_ok=True)  # what is still mapped from it stays as it was
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return pa.ipc.open_file(pa.memory_map(str(path))).read_all()


def in_order(
    pool: ThreadPoolExecutor, cores: int, work: Callable[..., Any], parts: Iterator[pa.Table]
) -> list[Any]:
    """Results in the order of the parts, of which two for each core are in memory."""
    waiting: list[Any] = []
    done: list[Any] = []
    for number, part in enumerate(parts):
        waiting.append(pool.submit(work, number, part))
        if len(waiting) >= 2 * cores:
            done.append(waiting.pop(0).result())
    return done + [future.result() for future in waiting]


def main() -> None:
    """Run once on a few rows, then on all."""
    name, settings, file, out, *words = sys.argv[1:]
    record = importlib.import_module(f"stages.{name}").STAGE
    config = record.config.model_validate_json(settings)
    stage = record.fit(config)
    given = {key: read_given(feed, Path()) for key, feed in record.given(config).items()}
    given |= {w.split("=")[0]: pq.read_table(w.split("=")[1]) for w in words}
    with tempfile.TemporaryDirectory(dir=Path(out).parent) as folder:
        over(stage, config, Context(name, given), Path(file), Path(folder), WARM_ROWS)
        with measured() as said:
            said["start_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            done, decision = over(stage, config, Context(name, given), Path(file), Path(folder))
            said["kept"] = sum(batch.table.num_rows for batch in done)
        said["figures"] = dict(decision.figures)
        kept = pa.concat_tables(batch.table for batch in done)
        plain = [f.name for f in kept.schema if not pa.types.is_nested(f.type)]
        pq.write_table(kept.select(plain), out)
        told = {r.row_id: r.message for batch in done for r in batch.rejects}
        Path(out).with_suffix(".json").write_text(
            json.dumps({"figures": dict(decision.figures), "rejects": told}, default=str)
        )


if __name__ == "__main__":
    main()
