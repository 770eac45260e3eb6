"""A datatrove pipeline on one process: ROWS PART_ROWS OUT."""

import sys
from pathlib import Path

from datatrove.data import Document
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.writers import ParquetWriter
from noop import answer


class Rows(PipelineStep):
    name = "rows"

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.rows = rows

    def run(self, data, rank: int = 0, world_size: int = 1):
        for i in range(rank, self.rows, world_size):
            row_id = f"row-{i:08d}"
            yield Document(text=answer(row_id), id=row_id, metadata={"source": "noop"})


if __name__ == "__main__":
    rows, part_rows, out = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    LocalPipelineExecutor(
        pipeline=[Rows(rows), ParquetWriter(str(out / "data"))],
        tasks=2,
        workers=2,
        logging_dir=str(out / "logs"),
    ).run()
