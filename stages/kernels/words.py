"""The words of texts in Arrow's buffers, folded so that spelling variants are one.

A word is a run of letters, digits and marks; in the scripts of Chinese and Japanese each character
is one. Folding takes case and the accents of Latin, Greek and Cyrillic letters away, and makes wide
or raised characters plain, character by character. What is written between words does not count,
nor do invisible characters inside of them.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stages.kernels.characters import character, mixed
from stages.kernels.jit import kernel

Bytes = npt.NDArray[np.uint8]
Codes = npt.NDArray[np.uint32]
Hashes = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]

SPACE, PUNCTUATION, LETTER, MARK, ALONE, NOTHING = range(6)
"""Kinds of characters: `MARK` goes on with a word, `ALONE` is one, `NOTHING` is passed over."""

_KIND_SHIFT = 24
_CODE_MASK = (1 << _KIND_SHIFT) - 1
_TABLE_SIZE = 0x20000
_LAST_HAN = 0x323AF
_ACCENTS = range(0x300, 0x370)
_ALONE = (range(0x3040, 0x3100), range(0x3400, 0x4DC0), range(0x4E00, 0xA000))
_ZERO_WIDTH_SPACE = 0x200B

_SEED = np.uint64(0x9E3779B97F4A7C15)
_STEP = np.uint64(0x100000001B3)


@lru_cache(maxsize=2)
def character_table(letters: str = "") -> Codes:
    """The kind and the folded form of each character, as `kind << 24 | code point`.

    Args:
        letters: characters that count as letters though they are none, e.g. `_`.
    """
    table = np.empty(_TABLE_SIZE, dtype=np.uint32)
    for code in range(_TABLE_SIZE):
        kind = LETTER if chr(code) in letters else _kind(code)
        table[code] = kind << _KIND_SHIFT | ord(_folded(chr(code)))
    return table


def _kind(code: int) -> int:
    character = chr(code)
    category = unicodedata.category(character)
    if character.isspace() or code == _ZERO_WIDTH_SPACE:
        return SPACE
    if code in _ACCENTS or category == "Cf":
        return NOTHING
    if any(code in script for script in _ALONE):
        return ALONE
    return {"L": LETTER, "N": LETTER, "M": MARK}.get(category[0], PUNCTUATION)


def _folded(character: str) -> str:
    bare = "".join(
        part for part in unicodedata.normalize("NFKD", character) if ord(part) not in _ACCENTS
    )
    for form in (bare, unicodedata.normalize("NFKC", character)):
        for folded in (form.casefold(), form.lower()):
            if len(folded) == 1:
                return folded
    return character


class Words(NamedTuple):
    """The words of several texts, one after the other.

    Attributes:
        codes: the folded characters of all words, without anything between them.
        starts: where each word starts in `codes`, and where the last one ends.
        hashes: one number for each word, equal for equal words.
        first: number of each text's first word, and of all words.
        source: first byte of each word in the texts' buffer, and the byte after its last.
    """

    codes: Codes
    starts: Places
    hashes: Hashes
    first: Places
    source: Places


@kernel()
def kind_and_form(code: int, table: Codes) -> tuple[int, int]:
    """The kind of a character, and what it is folded to."""
    if code < _TABLE_SIZE:
        entry = int(table[code])
        return entry >> _KIND_SHIFT, entry & _CODE_MASK
    return (ALONE if code <= _LAST_HAN else PUNCTUATION), code


@kernel()
def extended(hashed: np.uint64, code: int) -> np.uint64:
    """The running hash of a word with one more character; FNV-1a over code points."""
    return (hashed ^ np.uint64(code)) * _STEP


@kernel()
def word_hashes(data: Bytes, begin: int, end: int, table: Codes, out: Hashes) -> int:
    """Hash the words of one text into `out`, which must have room; returns how many there are."""
    n, inside, hashed, at = 0, False, _SEED, begin
    while at < end:
        code, at = character(data, at, end)
        kind, form = kind_and_form(code, table)
        if kind == NOTHING:
            continue
        if inside and kind in (LETTER, MARK):
            hashed = extended(hashed, form)
            continue
        if inside:
            out[n] = mixed(hashed)
            n, inside = n + 1, False
        if kind == LETTER:
            inside, hashed = True, extended(_SEED, form)
        elif kind == ALONE:
            out[n] = mixed(extended(_SEED, form))
            n += 1
    if inside:
        out[n] = mixed(hashed)
        n += 1
    return n


def most_words(n_bytes: int) -> int:
    """More words than this a text of so many bytes cannot have."""
    return n_bytes // 2 + 1


def words_of_texts(data: Bytes, begins: Places, ends: Places, table: Codes) -> Words:
    """The words of texts, each from one byte of a buffer to another."""
    n_bytes, n_texts = int((ends - begins).sum()), len(begins)
    room = n_bytes // 2 + n_texts
    words = Words(
        np.empty(n_bytes, dtype=np.uint32),
        np.empty(room + 1, dtype=np.int64),
        np.empty(room, dtype=np.uint64),
        np.zeros(n_texts + 1, dtype=np.int64),
        np.empty((room, 2), dtype=np.int64),
    )
    n_words, n_codes = _split(data, begins, ends, table, *words)
    return Words(
        words.codes[:n_codes].copy(),
        words.starts[: n_words + 1].copy(),
        words.hashes[:n_words].copy(),
        words.first,
        words.source[:n_words].copy(),
    )


@kernel()
def _split(
    data: Bytes,
    begins: Places,
    ends: Places,
    table: Codes,
    codes: Codes,
    starts: Places,
    hashes: Hashes,
    first: Places,
    source: Places,
) -> tuple[int, int]:
    n, n_codes = 0, 0
    for text in range(len(begins)):
        word_hashes(data, begins[text], ends[text], table, hashes[n:])
        at, end, inside = begins[text], ends[text], False
        while at < end:
            here = at
            code, at = character(data, at, end)
            kind, form = kind_and_form(code, table)
            begun = kind == ALONE or (kind == LETTER and not inside)
            if begun:
                starts[n], source[n, 0] = n_codes, here
                n += 1
            if begun or (inside and kind in (LETTER, MARK)):
                codes[n_codes], source[n - 1, 1] = form, at
                n_codes += 1
            if kind != NOTHING:
                inside = kind == LETTER or (kind == MARK and inside)
        first[text + 1] = n
    starts[n] = n_codes
    return n, n_codes
