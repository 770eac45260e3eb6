"""What `prefmill view` answers: rows, pages and marks of the dataset that lies there now."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from pipeline.browse.blind import hide_facts, hide_label, is_turned, unblinded
from pipeline.browse.index import RowIndex
from pipeline.browse.marks import DECIDED, VERDICTS, MarksFile
from pipeline.browse.query import MOST_LIMIT, Query, query_of, whole_number
from pipeline.browse.records import Record
from pipeline.browse.search import Search
from pipeline.dataset.read import MANIFEST, DatasetFolder, open_dataset
from schemas.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Places = NDArray[np.int32]

T = TypeVar("T")
Stamp = tuple[int, int, int]

_PATIENCE_S = 0.12
"""How long a page waits for a search that is on its way."""
_SWAP_S = 2.0
"""How long a dataset may be away while another is put in its place."""
_MOST_COMMENT = 2000
_KEPT_SEARCHES = 4
MARKABLE = frozenset(("pair", "answer"))


class Desk:
    """One dataset and perhaps a labels file; safe to use from several threads.

    Attributes:
        edition: grows when the dataset is replaced.
    """

    def __init__(
        self,
        path: Path,
        labels: MarksFile | None = None,
        *,
        is_blind: bool = False,
        seed: int = 0,
        judged: Callable[[Record], list[Record]] | None = None,
    ) -> None:
        """Open and index the dataset.

        Args:
            path: a dataset folder, or the output folder of a run.
            labels: where marks go; None if rows are only looked at.
            is_blind: labels are hidden until a row is marked.
            seed: of the order `shuffled`, and of which answer is A.
            judged: gives what the judges said of a row of pairs, as the browser shows it.

        Raises:
            InputError: there is none, or it cannot be read.
        """
        self.path, self.labels, self._is_blind, self._seed = path, labels, is_blind, seed
        self._judged = judged
        self.edition = 1
        self._lock = Lock()
        self._searches: OrderedDict[str, Search] = OrderedDict()
        self.dataset, self._stamp = _opened(path)
        self._index = RowIndex(self.dataset, seed)
        self._before: RowIndex | None = None

    def close(self) -> None:
        """Free what it holds."""
        self._stop_searches(0)
        for index in (self._index, self._before):
            if index:
                index.close()

    def sort(self) -> None:
        """Sort the rows in every order, so that no page waits for it."""
        self._index.sort()

    @property
    def n_rows(self) -> int:
        """Rows of the dataset that can be seen."""
        return self._index.n_rows

    def start(self) -> dict[str, Any]:
        """What a page needs first."""
        facets = self._on_current(RowIndex.facets)
        title = self.dataset.manifest["run"].get("name", "")
        is_judged = self._judged is not None
        return {**facets, "title": title, "isJudged": is_judged, **self._edition()}

    def rows(self, asked: Mapping[str, str]) -> dict[str, Any]:
        """A page of the rows that are asked for.

        Raises:
            InputError: a parameter is wrong.
        """
        query = query_of(asked)
        offset = whole_number(asked, "offset", 0, 10**12)
        limit = whole_number(asked, "limit", 50, MOST_LIMIT)

        def page(index: RowIndex) -> dict[str, Any]:
            search = self._search_of(index, query.text)
            places = self._found(index, query, search)
            lines = [self._seen_line(line) for line in index.lines(places[offset : offset + limit])]
            is_done = search is None or search.is_done
            searched = 1.0 if search is None else search.searched
            return {"total": len(places), "rows": lines, "isDone": is_done, "searched": searched}

        return {**self._on_current(page), **self._edition()}

    def row(self, config: str, row_id: str) -> dict[str, Any]:
        """A row in full, as it may be seen.

        Raises:
            InputError: there is no such row.
        """
        return {"record": self._seen(self._record(config, row_id)), **self._edition()}

    def judgements(self, config: str, row_id: str) -> dict[str, Any]:
        """What the judges said of a pair; empty if nothing is kept.

        Raises:
            InputError: there is no such row, or its label is hidden.
        """
        record = self._record(config, row_id)
        if self._is_hidden(record):
            raise InputError("what the judges said is shown when the row is marked")
        if self._judged is None or record["kind"] != "pair":
            return {"judgements": []}
        row = self._on_current(lambda index: index.row(self._place(index, config, row_id)))
        return {"judgements": self._judged(row)}

    def offset(self, config: str, row_id: str, asked: Mapping[str, str]) -> dict[str, Any]:
        """Where a row stands among those that are asked for; -1 if it is none of them."""
        import numpy as np

        query = query_of(asked)

        def find(index: RowIndex) -> int:
            place = index.place_of(config, row_id)
            if place is None:
                return -1
            found = np.flatnonzero(
                self._found(index, query, self._search_of(index, query.text)) == place
            )
            return int(found[0]) if len(found) else -1

        return {"offset": self._on_current(find), **self._edition()}

    def mark(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """Keep what a person says of a row, and show it.

        Raises:
            InputError: it cannot be marked so, or the mark could not be written.
        """
        if self.labels is None:
            raise InputError("this view is for reading; `--annotate` lets you mark rows")
        config, row_id, verdict, comment = (
            said.get(name, "") for name in ("config", "id", "verdict", "comment")
        )
        if not all(isinstance(text, str) for text in (config, row_id, verdict, comment)):
            raise InputError("config, id, verdict and comment are texts")
        record = self._record(config, row_id)
        is_hidden = self._is_hidden(record)
        if is_hidden and record["kind"] == "pair":
            verdict = unblinded(verdict, record, self._seed)
        allowed = VERDICTS.get(record["kind"], ())
        if verdict not in allowed:
            raise InputError(f"a row of `{config}` cannot be marked {verdict[:20]!r}; {allowed}")
        turned = is_hidden and record["kind"] == "pair" and is_turned(record, self._seed)
        self.labels.add(record, verdict, comment[:_MOST_COMMENT], turned, is_hidden)
        return {"record": self._seen(record), "progress": self.labels.progress()}

    def _record(self, config: str, row_id: str) -> Record:
        return self._on_current(lambda index: index.record(self._place(index, config, row_id)))

    def _place(self, index: RowIndex, config: str, row_id: str) -> int:
        place = index.place_of(config, row_id)
        if place is None:
            raise InputError(f"there is no row {row_id[:40]!r} in config {config[:40]!r}")
        return place

    def _found(self, index: RowIndex, query: Query, search: Search | None) -> Places:
        import numpy as np

        places = index.places(query)
        if query.marks and self.labels:
            is_marked = np.isin(places, index.places_of(list(self.labels.marks)))
            places = places[is_marked if query.marks == "done" else ~is_marked]
        return places if search is None else search.among(places, _PATIENCE_S)

    def _search_of(self, index: RowIndex, text: str) -> Search | None:
        """The search for a text: the one that there is, or a new one."""
        if not text:
            return None
        with self._lock:
            search = self._searches.get(text)
            if search is None or search.shards is not index.shards:
                search = self._searches[text] = Search(text, index.shards)
            self._searches.move_to_end(text)
            self._stop_searches(_KEPT_SEARCHES)
            return search

    def _stop_searches(self, keep: int) -> None:
        """Forget all but the searches that were asked for last."""
        while len(self._searches) > keep:
            self._searches.popitem(last=False)[1].stop()

    def _is_hidden(self, record: Record) -> bool:
        if not self._is_blind or record["kind"] not in MARKABLE or self.labels is None:
            return False
        mark = self.labels.marks.get((record["config"], record["id"]))
        return mark is None or mark.verdict not in DECIDED

    def _seen(self, record: Record) -> Record:
        shown = hide_label(record, self._seed) if self._is_hidden(record) else record
        return {**shown, **self._said(record)}

    def _seen_line(self, line: Record) -> Record:
        return {**(hide_facts(line) if self._is_hidden(line) else line), **self._said(line)}

    def _said(self, row: Record) -> dict[str, str]:
        mark = self.labels.marks.get((row["config"], row["id"])) if self.labels else None
        return {"verdict": mark.verdict, "comment": mark.comment} if mark else {}

    def _edition(self) -> dict[str, int]:
        return {"edition": self.edition}

    def _on_current(self, do: Callable[[RowIndex], T]) -> T:
        """Do it on the dataset that lies there now; once more if it is replaced meanwhile."""
        index = self._current()
        try:
            return do(index)
        except OSError:
            now = self._current()
            if now is index:
                raise
            return do(now)

    def _current(self) -> RowIndex:
        with self._lock:
            if _stamp_of(self.dataset) != self._stamp:
                self._reopen()
            return self._index

    def _reopen(self) -> None:
        until = time.monotonic() + _SWAP_S
        while True:
            try:
                dataset, stamp = _opened(self.path)
                index = RowIndex(dataset, self._seed)
                break
            except InputError:
                if time.monotonic() > until:
                    raise
                time.sleep(_SWAP_S / 40)
        if self._before:
            self._before.close()
        # Others may still be reading the index that was the current one.
        self._before, self._index = self._index, index
        self.dataset, self._stamp = dataset, stamp
        self.edition += 1


def _opened(path: Path) -> tuple[DatasetFolder, Stamp | None]:
    dataset = open_dataset(path)
    return dataset, _stamp_of(dataset)


def _stamp_of(dataset: DatasetFolder) -> Stamp | None:
    """What changes when another dataset is put in the place of this one; None if it is away."""
    try:
        found = (dataset.path / MANIFEST).stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
