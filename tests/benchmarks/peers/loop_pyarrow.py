"""One loop, no framework: ROWS PART_ROWS OUT."""

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from noop import part

rows, part_rows, out = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
out.mkdir(parents=True)
for number in range(rows // part_rows):
    table = pa.Table.from_pylist(part(number, part_rows))
    pq.write_table(table, out / f"{number:05d}.parquet", compression="zstd")
