"""Search in the texts of a dataset: by and by, row group by row group, so that no answer waits.

The texts are not indexed. A search reads them from the files once, in a thread of its own, and is
asked for what it has found so far.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from pipeline.browse.shards import Shard
from schemas.columns import ROW_ID
from schemas.layouts import CHOSEN_TURN, COMPLETION, COMPLETIONS, PROMPT, REJECTED_TURN, TEXT

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

_SEARCHED = (ROW_ID, PROMPT, CHOSEN_TURN, REJECTED_TURN, COMPLETION, COMPLETIONS, TEXT)


class Search:
    """One text, looked for in all rows."""

    def __init__(self, text: str, shards: Sequence[Shard]) -> None:
        """Start it."""
        import numpy as np

        self.text = text
        self.problem: OSError | None = None
        self.shards = shards
        self._n_rows = shards[-1].starts[-1]
        self._hits: NDArray[np.bool_] = np.zeros(self._n_rows, dtype=bool)
        self._searched = 0
        self._over, self._stopped = Event(), Event()
        Thread(target=self._run, name="prefmill-search", daemon=True).start()

    @property
    def searched(self) -> float:
        """Share of the rows that has been searched."""
        return self._searched / self._n_rows

    @property
    def is_done(self) -> bool:
        """Whether all rows have been searched."""
        return self._over.is_set()

    def among(self, places: NDArray[np.int32], patience_s: float) -> NDArray[np.int32]:
        """Those of the places where the text was found until now; waits so long for the end.

        Raises:
            OSError: a file could not be read.
        """
        self._over.wait(patience_s)
        if self.problem:
            raise self.problem
        return places[self._hits[places]]

    def stop(self) -> None:
        """Nobody will ask any more."""
        self._stopped.set()

    def _run(self) -> None:
        try:
            for shard in self.shards:
                for group in range(len(shard.starts) - 1):
                    if self._stopped.is_set():
                        return
                    self._look_into(shard, group)
        except OSError as error:
            self.problem = error
        finally:
            self._over.set()

    def _look_into(self, shard: Shard, group: int) -> None:
        names = [column.name for column in _SEARCHED if column.name in shard.columns]
        table = shard.read_group(group, names)
        start, end = shard.starts[group], shard.starts[group + 1]
        for name in names:
            for row in _rows_with(table.column(name).combine_chunks(), self.text):
                self._hits[start + row] = True
        self._searched = end


def _rows_with(column: pa.Array, text: str) -> Any:
    """Numbers of the rows of a column of texts, turns or lists of texts that have the text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    parents = None
    if pa.types.is_list(column.type):
        parents, column = pc.list_parent_indices(column), pc.list_flatten(column)
    if pa.types.is_struct(column.type):
        column = pc.struct_field(column, "content")
    found = pc.indices_nonzero(
        pc.fill_null(pc.match_substring(column, text, ignore_case=True), False)
    )
    rows = found if parents is None else parents.take(found)
    return rows.to_numpy(zero_copy_only=False)
