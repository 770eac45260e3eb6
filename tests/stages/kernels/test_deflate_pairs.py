from __future__ import annotations

import gzip
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.kernels.ncd import UNIT, aligned, gzip_sizes, prepared
from tests.stages.kernels.deflate_texts import LONG, noise, prose, short, uses_classic_zlib

pytestmark = pytest.mark.skipif(
    not uses_classic_zlib(), reason="Python is linked to another zlib than the kernel counts for"
)


def packed(texts: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
    return np.frombuffer(b"".join(texts), np.uint8), np.cumsum([0, *map(len, texts)])


def check(sources: Sequence[bytes], targets: Sequence[bytes]) -> None:
    ready = prepared(*packed(targets))
    assert ready.sizes.tolist() == [len(gzip.compress(target, 9)) for target in targets]
    alone, both = gzip_sizes(*packed(sources), ready, np.arange(len(targets)))
    assert alone.tolist() == [len(gzip.compress(source, 9)) for source in sources]
    expected = [[len(gzip.compress(s + t, 9)) for t in targets] for s in sources]
    assert both.tolist() == expected


@settings(deadline=None, max_examples=200)
@given(st.lists(short, min_size=1, max_size=4), st.lists(short, min_size=1, max_size=4))
def test_each_pair_is_as_long_as_gzip_makes_it(sources: list[bytes], targets: list[bytes]) -> None:
    check(sources, targets)


@settings(deadline=None, max_examples=150)
@given(short, st.lists(st.tuples(st.integers(0, 600), st.integers(0, 600)), max_size=6))
def test_what_lies_across_the_border_is_found(text: bytes, cuts: list[tuple[int, int]]) -> None:
    """A target that goes on where the source breaks off, or holds what the border makes."""
    sources = [text[:cut] for cut, _ in cuts] + [text]
    targets = [text[cut : cut + length] for cut, length in cuts] + [text[::-1] + text]
    check(sources, targets)


def test_a_target_of_any_length_after_a_source_of_any_length() -> None:
    texts = [b"", b"a", b"ab", b"abc", b"abcabc", prose(900, 1), noise(300, 2)]
    check(texts, texts)


@pytest.mark.parametrize("name", LONG)
def test_sources_beyond_every_limit(name: str) -> None:
    source = LONG[name]
    check([source, source[:33_000]], [source[-300:], source[:5], prose(800, 9), b""])


def test_targets_beyond_every_limit() -> None:
    check([prose(1500, 1), b"aaa", b"", noise(200, 3)], [*LONG.values()][:4])


@pytest.mark.parametrize("length", [1022, 1023, 1024, 1025, 4095, 4096, 4097])
def test_chains_of_candidates_that_are_cut_off(length: int) -> None:
    # Each `abc` is a candidate for the next; what follows it differs.
    pieces = [b"abc%d" % (i * 7919 % 100_003) for i in range(length)]
    text = b"".join(pieces)
    check([text, text[: len(text) // 2]], [b"".join(pieces[:40]), b"abc" * 30, text[-700:]])


def test_a_chosen_few_in_any_order() -> None:
    targets, source = [prose(300, i) for i in range(5)], [prose(700, 9)]
    ready = prepared(*packed(targets))
    _, all_of_them = gzip_sizes(*packed(source), ready, np.arange(5))
    _, some = gzip_sizes(*packed(source), ready, np.array([4, 1]))
    assert some.tolist() == [[all_of_them[0, 4], all_of_them[0, 1]]]


def test_alignment_is_one_minus_the_distance() -> None:
    found = aligned(np.array([54, 80]), np.array([54, 40]), np.array([55, 100]))
    assert found / UNIT == pytest.approx([1 - 1 / 54, 1 - 60 / 80], abs=1e-12)
