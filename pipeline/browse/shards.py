"""The files of a dataset as one line of rows: which place is in which file and row group."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.browse.records import is_browsable
from schemas.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.dataset.read import DatasetFolder


@dataclass(frozen=True, slots=True)
class Shard:
    """One file.

    Attributes:
        first: place of its first row.
        starts: places of the first rows of its row groups, and of the first row after the file.
    """

    path: Path
    config: str
    split: str
    columns: tuple[str, ...]
    starts: tuple[int, ...]

    @property
    def first(self) -> int:
        """Place of its first row."""
        return self.starts[0]

    def group_of(self, place: int) -> int:
        """The row group with a place."""
        return bisect_right(self.starts, place) - 1

    def read_group(self, group: int, columns: list[str] | None = None) -> pa.Table:
        """The rows of a row group.

        Raises:
            OSError: the file is gone or damaged.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(self.path) as file:
                return file.read_row_group(group, columns=columns)
        except pa.ArrowException as error:
            raise OSError(f"{self.path}: cannot be read as Parquet: {error}") from None


def shards_of(dataset: DatasetFolder) -> list[Shard]:
    """The files that hold texts, in the order of the dataset.

    Raises:
        InputError: a file is missing or cannot be read, or none holds a row with a text.
    """
    shards: list[Shard] = []
    place = 0
    for config in dataset.configs:
        if is_browsable(dataset.manifest["configs"][config]["columns"]):
            for split in dataset.splits(config):
                for path in dataset.shards(config, split):
                    shards.append(_shard(path, config, split, place))
                    place = shards[-1].starts[-1]
    if not place:
        raise InputError(f"{dataset.path}: there is nothing to see: no row with a text in it")
    return shards


def _shard(path: Path, config: str, split: str, place: int) -> Shard:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        footer = pq.read_metadata(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(f"{path}: cannot be read as Parquet: {error}") from None
    return Shard(
        path,
        config,
        split,
        tuple(footer.schema.to_arrow_schema().names),
        tuple(_starts(footer, place)),
    )


def _starts(footer: pa.parquet.FileMetaData, place: int) -> Iterator[int]:
    yield place
    for group in range(footer.num_row_groups):
        place += footer.row_group(group).num_rows
        yield place
