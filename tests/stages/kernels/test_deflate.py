from __future__ import annotations

import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.kernels.deflate import gzip_size
from tests.stages.kernels.deflate_texts import LONG, noise, short, uses_classic_zlib

pytestmark = pytest.mark.skipif(
    not uses_classic_zlib(), reason="Python is linked to another zlib than the kernel counts for"
)


def size(data: bytes) -> int:
    return int(gzip_size(np.frombuffer(data, np.uint8)))


@settings(deadline=None, max_examples=300)
@given(short)
def test_it_is_the_length_of_what_gzip_makes(data: bytes) -> None:
    assert size(data) == len(gzip.compress(data, 9))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.sampled_from(sorted(LONG)), min_size=1, max_size=3), st.integers(0, 70_000))
def test_blocks_and_a_sliding_window_change_nothing(names: list[str], cut: int) -> None:
    data = b"".join(LONG[name] for name in names)[cut:]
    assert size(data) == len(gzip.compress(data, 9))


@pytest.mark.parametrize("name", LONG)
def test_long_texts(name: str) -> None:
    assert size(LONG[name]) == len(gzip.compress(LONG[name], 9))


@pytest.mark.parametrize("length", [*range(12), 257, 258, 259, 260, 261, 262, 263])
def test_short_repeats_and_noise(length: int) -> None:
    for data in (b"a" * length, noise(length, length), noise(length, 1) * 2):
        assert size(data) == len(gzip.compress(data, 9))


@pytest.mark.parametrize("gap", [4092, 4093, 4094, 4095, 4096, 4097])
def test_a_match_of_three_bytes_may_be_too_far(gap: int) -> None:
    # Bytes below and above 128 keep the noise between from matching by itself.
    between = bytes(value | 128 for value in noise(gap, gap))
    data = b"xyz" + between + b"xyz"
    assert size(data) == len(gzip.compress(data, 9))


def test_a_text_twice_takes_hardly_more_than_once() -> None:
    line = b"the same line of thirty-two byte" * 5
    assert len(line) == 160
    assert size(line + line) <= size(line) + 2
