"""Texts as the bytes of an Arrow array, and what makes equal what a reader takes for equal."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit

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

    Of ASCII every form is the same and its lower case is simple, so that only texts beyond it are
    looked up character by character.
    """
    beyond = pc.invert(pc.string_is_ascii(texts))
    changed = texts.filter(beyond)
    if form != "none":
        changed = pc.utf8_normalize(changed, form=form)
    if lowercase:
        texts, changed = pc.ascii_lower(texts), pc.utf8_lower(changed)
    return pc.replace_with_mask(texts, beyond, changed) if len(changed) else texts


def with_single_spaces(offsets: Ints, data: Bytes) -> tuple[Ints, Bytes]:
    """The texts with one space between words and none around them."""
    folded = np.empty(int(offsets[-1] - offsets[0]), np.uint8)
    starts = np.zeros(len(offsets), np.int64)
    _fold(offsets, data, starts, folded)
    return starts, folded


@njit(cache=True, nogil=True)
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
