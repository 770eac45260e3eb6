from __future__ import annotations

import random
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.kernels.deflate_blocks import end_block
from stages.kernels.deflate_trees import DISTANCE_CODES, LITERAL_CODES, new_trees
from tests.stages.kernels.deflate_texts import skewed, uses_classic_zlib

pytestmark = pytest.mark.skipif(
    not uses_classic_zlib(), reason="Python is linked to another zlib than the kernel counts for"
)


def counted(data: bytes) -> int:
    """Bytes of one block of literals."""
    literals = np.bincount(np.frombuffer(data, np.uint8), minlength=LITERAL_CODES).astype(np.int64)
    fixed = sum(8 if byte < 144 else 9 for byte in data)
    distances = np.zeros(DISTANCE_CODES, np.int64)
    return (end_block(literals, distances, fixed, 0, len(data), 0, new_trees()) + 7) // 8


def written(data: bytes) -> int:
    """The same from zlib, told to look for no matches."""
    compress = zlib.compressobj(9, zlib.DEFLATED, -15, 8, zlib.Z_HUFFMAN_ONLY)
    return len(compress.compress(data) + compress.flush())


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.tuples(st.integers(0, 255), st.integers(1, 14)), max_size=120),
    st.integers(0, 2**32),
)
def test_any_counts(symbols: list[tuple[int, int]], seed: int) -> None:
    """Counts that are powers of two give codes of every length."""
    listed = [symbol for symbol, bits in symbols for _ in range(1 << max(0, bits - 5))]
    data = bytes(random.Random(seed).sample(listed, len(listed)))
    assert counted(data) == written(data)


@pytest.mark.parametrize("n", [400, 3000, 10_000, 16_382])
def test_codes_that_would_be_too_long(n: int) -> None:
    """The counts of Fibonacci give the longest codes of all: from 4,180 bytes on over 15 bits."""
    assert counted(skewed(n, n)) == written(skewed(n, n))


def test_lengths_of_codes_that_would_have_too_long_codes_themselves() -> None:
    rng = random.Random(124)
    for _ in range(300):
        n = rng.randrange(20, 200)
        weights = [2.0 ** -rng.randrange(0, rng.choice([4, 9, 14])) for _ in range(n)]
        data = bytes(rng.choices(rng.sample(range(256), n), weights=weights, k=1500))
        assert counted(data) == written(data)
