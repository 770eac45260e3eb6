"""Raw Dask futures on two worker processes: ROWS PART_ROWS OUT."""

import sys
from pathlib import Path

from noop import part


def work(number: int, part_rows: int, out: Path) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pylist(part(number, part_rows))
    pq.write_table(table, out / f"{number:05d}.parquet", compression="zstd")
    return table.num_rows


if __name__ == "__main__":
    from distributed import Client, LocalCluster

    rows, part_rows, out = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    out.mkdir(parents=True)
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
    ):
        futures = [
            client.submit(work, number, part_rows, out, pure=False)
            for number in range(rows // part_rows)
        ]
        assert sum(client.gather(futures)) == rows
