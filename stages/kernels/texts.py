"""Texts as the bytes of an Arrow array, and what makes equal what a reader takes for equal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from stages.kernels.jit import kernel
from stages.kernels.tokens import Bytes, Ints, space_width

Form = Literal["none", "NFC", "NFKC"]


def buffers_of(texts: pa.LargeStringArray) -> tuple[Ints, Bytes]:
    """(offsets i64[n + 1], bytes u8[...]) of texts without nulls; no copy."""
    offsets, data = texts.buffers()[1:]
    starts = np.frombuffer(offsets, np.int64) if offsets else np.zeros(1, np.int64)
    read = np.frombuffer(data, np.uint8) if data else np.empty(0, np.uint8)
    return starts[texts.offset : texts.offset + len(texts) + 1], read


def normalised(texts: pa.LargeStringArray, form: Form, lowercase: bool) -> pa.LargeStringArray:
    """The texts in a Unicode form and, with `lowercase`, in lower case.

    Looking characters up takes longer than all else here, so it is left to texts that may need it.
    """
    beyond = pc.invert(pc.string_is_ascii(texts))
    if form == "NFC":
        texts = _changed(texts, may_lack_nfc(texts), lambda some: pc.utf8_normalize(some, "NFC"))
    elif form == "NFKC":
        texts = _changed(texts, beyond, lambda some: pc.utf8_normalize(some, "NFKC"))
    return _changed(pc.ascii_lower(texts), beyond, pc.utf8_lower) if lowercase else texts


def _changed(
    texts: pa.LargeStringArray,
    which: pa.BooleanArray,
    change: Callable[[pa.LargeStringArray], pa.LargeStringArray],
) -> pa.LargeStringArray:
    some = texts.filter(which)
    return pc.replace_with_mask(texts, which, change(some)) if len(some) else texts


def may_lack_nfc(texts: pa.LargeStringArray) -> pa.BooleanArray:
    """False for texts of characters that NFC leaves alone, whatever stands beside them.

    Those are the ones below U+0300, punctuation (U+2002 to U+203F), Chinese characters (U+4E00 to
    U+9FFF) and emoji (U+1F000 to U+1FFFF); of others this does not know.
    """
    flags = np.empty(len(texts), np.bool_)
    _flag(*buffers_of(texts), flags)
    return pa.array(flags)


@kernel()
def _flag(offsets: Ints, data: Bytes, flags: NDArray[np.bool_]) -> None:
    for row in range(len(flags)):
        at, stop = offsets[row], offsets[row + 1]
        # Below 0xCC are ASCII, the first bytes of characters below U+0300, and all later bytes.
        while at < stop and (data[at] < 0xCC or _is_inert(data, at, stop)):
            at += 1
        flags[row] = at < stop


@kernel(inline="always")
def _is_inert(data: Bytes, at: int, stop: int) -> bool:
    if at + 2 >= stop:
        return False
    first, second = data[at], data[at + 1]
    if first == 0xE2:
        return bool(second == 0x80 and data[at + 2] >= 0x82)
    if first == 0xE4:
        return bool(second >= 0xB8)
    return bool(0xE5 <= first <= 0xE9 or (first == 0xF0 and second == 0x9F))


def with_single_spaces(offsets: Ints, data: Bytes) -> tuple[Ints, Bytes]:
    """The texts with one space between words and none around them."""
    folded = np.empty(int(offsets[-1] - offsets[0]), np.uint8)
    starts = np.zeros(len(offsets), np.int64)
    _fold(offsets, data, starts, folded)
    return starts, folded


@kernel()
def _fold(offsets: Ints, data: Bytes, starts: Ints, folded: Bytes) -> None:
    end = 0
    for row in range(len(offsets) - 1):
        starts[row] = end
        at, stop = offsets[row], offsets[row + 1]
        is_after_space = False
        while at < stop:
            width = space_width(data, at, stop)
            if width:
                is_after_space = True
                at += width
                continue
            if is_after_space and end > starts[row]:
                folded[end] = 0x20
                end += 1
            is_after_space = False
            folded[end] = data[at]
            at += 1
            end += 1
    starts[len(offsets) - 1] = end
