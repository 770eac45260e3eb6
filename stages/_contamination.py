"""Where texts overlap with the items of benchmarks, and by which rule that is too much."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from stages._given_texts import GivenText

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from stages.kernels.ngram_index import Index
    from stages.kernels.overlap import Overlaps, Runs
    from stages.kernels.words import Bytes, Places, Words

_SHOWN = 300
"""Characters of a span that a message shows."""
_SLICE = 1 << 22
"""Bytes of text that are compared with the items at a time."""


@dataclass(frozen=True, slots=True)
class Item:
    """One text of a benchmark."""

    benchmark: str
    origin: GivenText

    def __str__(self) -> str:
        return f"`{self.benchmark}` ({self.origin.place}, `{self.origin.field}`)"


@dataclass(frozen=True, slots=True)
class Benchmarks:
    """The items of all benchmarks, ready to be looked for."""

    items: tuple[Item, ...]
    index: Index


@dataclass(frozen=True, slots=True)
class Finding:
    """Why a text is contaminated.

    Attributes:
        row: number of the text.
        rule: the rule that it breaks; the first, where it breaks several.
        message: the item, the value, the limit and the span.
    """

    row: int
    rule: str
    message: str


def index_items(items: Sequence[Item], n: int, in_a_piece: int) -> Benchmarks:
    """Index items; see `stages.kernels.ngram_index.Index` for the numbers."""
    import pyarrow as pa

    from stages.kernels.ngram_index import build_index
    from stages.kernels.texts import buffers_of
    from stages.kernels.words import character_table, words_of_texts

    texts = [item.origin.text.encode("utf-8", "replace").decode() for item in items]
    offsets, data = buffers_of(pa.array(texts, type=pa.large_string()))
    words = words_of_texts(data, offsets[:-1], offsets[1:], character_table())
    return Benchmarks(tuple(items), build_index(words, n, in_a_piece))


Limits = Mapping[str, float | None]
"""From which value on each rule holds a text to be contaminated; None: the rule is off."""


def findings(
    texts: pa.LargeStringArray, benchmarks: Benchmarks, limits: Limits
) -> Iterator[Finding]:
    """The texts that are contaminated, in order."""
    import numpy as np

    from stages.kernels.ngram_index import candidates
    from stages.kernels.texts import buffers_of
    from stages.kernels.words import character_table

    offsets, data = buffers_of(texts)
    rows = np.flatnonzero(candidates(data, offsets, character_table(), benchmarks.index))
    slices = np.cumsum(offsets[rows + 1] - offsets[rows]) // _SLICE
    for some in np.split(rows, np.flatnonzero(np.diff(slices)) + 1):
        overlap = _overlap(data, offsets[some], offsets[some + 1], benchmarks)
        for row, rule, message in _broken(overlap, limits):
            yield Finding(int(some[row]), rule, message)


def _overlap(data: Bytes, begins: Places, ends: Places, benchmarks: Benchmarks) -> Overlap:
    from stages.kernels.overlap import common_runs, overlaps
    from stages.kernels.words import character_table, words_of_texts

    words = words_of_texts(data, begins, ends, character_table())
    runs = common_runs(words, benchmarks.index)
    return Overlap(data, words, runs, overlaps(runs, benchmarks.index), benchmarks)


@dataclass(frozen=True)
class Overlap:
    """What some texts and the items have in common.

    Attributes:
        data: the buffer with the texts.
        words: their words.
        runs: of words that a text and an item share.
        pairs: the same by text and item.
    """

    data: Bytes
    words: Words
    runs: Runs
    pairs: Overlaps
    benchmarks: Benchmarks

    @cached_property
    def longest(self) -> Places:
        """Words of each pair's longest run."""
        return self.runs.length[self.pairs.run]

    @cached_property
    def item_words(self) -> Places:
        """Words of each pair's item."""
        first = self.benchmarks.index.words.first
        return first[self.pairs.item + 1] - first[self.pairs.item]

    @cached_property
    def is_short(self) -> NDArray[np.bool_]:
        """Whether a pair's item is shorter than an n-gram: it stands in the text whole."""
        return self.item_words < self.benchmarks.index.n

    @cached_property
    def item_share(self) -> NDArray[np.float64]:
        """Share of a pair's item that stands in the text; of no short one, which has no n-gram."""
        shares: NDArray[np.float64] = self.pairs.covered * ~self.is_short / self.item_words
        return shares

    @cached_property
    def text_words(self) -> Places:
        """Words of each pair's text."""
        return self.words.first[self.pairs.text + 1] - self.words.first[self.pairs.text]

    @cached_property
    def text_covered(self) -> Places:
        """Words of each pair's text that stand in runs with any item."""
        from stages.kernels.overlap import n_covered

        runs = self.runs
        return n_covered(runs.own, runs.length, runs.text)[self.pairs.text]

    @cached_property
    def shared(self) -> Places:
        """Different n-grams that a pair has in common."""
        from stages.kernels.overlap import n_shared

        return n_shared(self.runs, self.pairs, self.benchmarks.index)

    @cached_property
    def either(self) -> Places:
        """Different n-grams that one or the other of a pair has."""
        from stages.kernels.overlap import n_ngrams

        index = self.benchmarks.index
        own = n_ngrams(self.words, index.n)[self.pairs.text]
        return own + index.n_groups[self.pairs.item] - self.shared

    def item(self, pair: int) -> Item:
        """The item of a pair."""
        return self.benchmarks.items[int(self.pairs.item[pair])]

    def span(self, pair: int) -> str:
        """The text itself where the longest run is, the beginning of a long one."""
        run = self.pairs.run[pair]
        first, length = self.runs.own[run], self.runs.length[run]
        begin, end = self.words.source[first, 0], self.words.source[first + length - 1, 1]
        text = bytes(self.data[begin:end]).decode("utf-8", "replace")
        return text if len(text) <= _SHOWN else text[:_SHOWN] + " …"


def _broken(overlap: Overlap, limits: Limits) -> list[tuple[int, str, str]]:
    """The texts that break a rule, each with the first that it does and what to say of it."""
    found: dict[int, tuple[str, str]] = {}
    for rule, (measure, wording) in _RULES.items():
        if (limit := limits[rule]) is None:
            continue
        for pair in _worst(overlap, measure(overlap), limit):
            row = int(overlap.pairs.text[pair])
            if row not in found:
                what = f"{wording(overlap, pair)}; `{rule}` is {limit:g}"
                found[row] = rule, f"{what}: «{overlap.span(pair)}»"
    return [(row, *found[row]) for row in sorted(found)]


def _worst(overlap: Overlap, values: NDArray[np.float64], limit: float) -> list[int]:
    """Of each text with values from the limit on, the pair of the highest.

    Equal values are told apart by the longest run, then by the order of the items.
    """
    import numpy as np

    over = np.flatnonzero(values >= limit)
    texts, items = overlap.pairs.text[over], overlap.pairs.item[over]
    over = over[np.lexsort((items, -overlap.longest[over], -values[over], texts))]
    first: list[int] = over[np.unique(overlap.pairs.text[over], return_index=True)[1]].tolist()
    return first


def _long_match(overlap: Overlap, pair: int) -> str:
    return f"{overlap.longest[pair]} words in a row stand in {overlap.item(pair)} too"


def _item_share(overlap: Overlap, pair: int) -> str:
    of = f"of the {overlap.item_words[pair]} words of {overlap.item(pair)}"
    return f"{overlap.pairs.covered[pair]} {of} stand in it"


def _row_share(overlap: Overlap, pair: int) -> str:
    of = f"of its {overlap.text_words[pair]} words"
    where = f"stand in benchmarks, most in a row in {overlap.item(pair)}"
    return f"{overlap.text_covered[pair]} {of} {where}"


def _jaccard(overlap: Overlap, pair: int) -> str:
    of = f"of the {overlap.either[pair]} n-grams that it or {overlap.item(pair)} has"
    return f"{overlap.shared[pair]} {of} are common to both"


def _short_item(overlap: Overlap, pair: int) -> str:
    item = f"{overlap.item(pair)}, shorter than an n-gram,"
    return f"all {overlap.item_words[pair]} words of {item} stand in it"


_RULES: dict[str, tuple[Callable[[Overlap], Any], Callable[[Overlap, int], str]]] = {
    "long_match": (lambda overlap: overlap.longest, _long_match),
    "item_share": (lambda overlap: overlap.item_share, _item_share),
    "row_share": (lambda overlap: overlap.text_covered / overlap.text_words, _row_share),
    "jaccard": (lambda overlap: overlap.shared / overlap.either.clip(1), _jaccard),
    "short_item": (lambda overlap: overlap.is_short.astype(float), _short_item),
}
"""By name, in the order in which they are tried: a value for each pair, and what to say of one."""
