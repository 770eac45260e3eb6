"""Bytes that bring out what is particular to zlib's parse and trees."""

from __future__ import annotations

import random
import zlib

from hypothesis import strategies as st

WORDS = [b"the ", b"a ", b"list", b" of ", b"numbers", b"return ", b"def f(x):\n", b"    ", b"xx"]

short = st.one_of(
    st.binary(max_size=600),
    st.lists(st.sampled_from(WORDS), max_size=200).map(b"".join),
    st.lists(st.sampled_from([b"a", b"b"]), max_size=700).map(b"".join),
    st.builds(lambda piece, n: piece * n, st.binary(min_size=1, max_size=9), st.integers(0, 400)),
)


def uses_classic_zlib() -> bool:
    """Whether Python's zlib is the one that the kernel counts for; zlib-ng says so in its name."""
    return "ng" not in zlib.ZLIB_RUNTIME_VERSION


def skewed(n: int, seed: int) -> bytes:
    """Symbols as often as Fibonacci's numbers: their codes grow longer than any block may have."""
    counts = [1, 1]
    while sum(counts) < n:
        counts.append(counts[-1] + counts[-2])
    symbols = [symbol for symbol, count in enumerate(counts) for _ in range(count)]
    random.Random(seed).shuffle(symbols)
    return bytes(symbols[:n])


def noise(n: int, seed: int) -> bytes:
    """Bytes that do not compress: blocks are stored."""
    return random.Random(seed).randbytes(n)


def prose(n: int, seed: int) -> bytes:
    """Words drawn from a vocabulary, many symbols a block."""
    rng = random.Random(seed)
    words = [bytes(rng.choices(b"abcdefghijklmnop", k=rng.randrange(1, 9))) for _ in range(300)]
    return b" ".join(rng.choices(words, k=n // 4))[:n]


def copies(n: int, seed: int) -> bytes:
    """Pieces of itself from as far back as a match may reach, and farther."""
    rng = random.Random(seed)
    out = bytearray(rng.randbytes(200))
    while len(out) < n:
        start = rng.randrange(max(0, len(out) - 40_000), len(out))
        out += out[start : start + rng.randrange(3, 400)] + rng.randbytes(rng.randrange(12))
    return bytes(out[:n])


LONG = {
    "skewed": skewed(20_000, 1),
    "noise": noise(70_000, 2),
    "prose": prose(150_000, 3),
    "copies": copies(140_000, 4),
    "one byte": b"a" * 300_000,
    "noise twice, a window apart": noise(33_000, 5) * 2,
    "ends as the window slides": noise(65_400, 6),
    "farthest match": noise(32_506, 7) + noise(32_506, 7),
    "too far by one": noise(32_507, 8) + noise(32_507, 8),
    "ends on a block of symbols": noise(16_383, 9),
    "one symbol more": noise(16_384, 9),
    "all values": bytes(range(256)) * 3,
}
