"""Laws of row identities and seeds."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

from hypothesis import assume, given
from hypothesis import strategies as st

from schemas.ids import Part, child_id, digest, row_seed, source_id, source_ids

PARTS = st.lists(st.text(max_size=6) | st.integers(), max_size=4)
NAMES = st.text(max_size=8)
SEEDS = st.integers(min_value=0, max_value=2**63 - 1)


@given(PARTS, PARTS)
def test_digests_are_equal_just_when_parts_are(left: list[Part], right: list[Part]) -> None:
    assert (digest(*left) == digest(*right)) == (left == right)


def test_a_digest_spelled_out_by_hand() -> None:
    encoded = b"s" + bytes([2, 0, 0, 0, 0, 0, 0, 0]) + b"ab" + b"i" + bytes([1] + [0] * 7) + b"7"
    assert digest("ab", 7) == hashlib.blake2b(encoded, digest_size=16).hexdigest()


@given(st.text(alphabet=st.characters(), max_size=6))
def test_any_text_has_a_digest(text: str) -> None:
    assert len(digest(text)) == 32


def test_half_surrogates_have_digests_of_their_own() -> None:
    assert len({digest("\ud800"), digest("\udc00"), digest("?"), digest("")}) == 4


@given(SEEDS, SEEDS, NAMES, PARTS)
def test_another_recipe_seed_gives_other_rows(
    a: int, b: int, stage: str, origin: list[Part]
) -> None:
    assume(a != b)
    assert source_id(a, stage, *origin) != source_id(b, stage, *origin)


@given(SEEDS, NAMES, st.integers(0, 50))
def test_more_rows_leave_the_first_ones_alone(seed: int, stage: str, count: int) -> None:
    ids = [source_id(seed, stage, position) for position in range(count + 10)]
    assert source_ids(seed, stage, range(count + 10)) == ids
    assert ids[:count] == [source_id(seed, stage, position) for position in range(count)]
    assert len(set(ids)) == len(ids)


@given(NAMES, NAMES, PARTS, PARTS)
def test_children_differ_by_parent_and_by_what_they_are(
    parent: str, other: str, which: list[Part], whose: list[Part]
) -> None:
    same = (parent, which) == (other, whose)
    assert (child_id(parent, "s", *which) == child_id(other, "s", *whose)) == same


@given(NAMES, NAMES, PARTS)
def test_a_child_is_never_a_source(parent: str, stage: str, which: list[Part]) -> None:
    assert child_id(parent, stage, *which) != source_id(0, parent, stage, *which)


@given(NAMES, NAMES, PARTS)
def test_seeds_fit_engines(row_id: str, stage: str, which: list[Part]) -> None:
    assert 0 <= row_seed(row_id, stage, *which) < 2**63


@given(NAMES, st.integers(0, 1000))
def test_seeds_of_neighbours_share_no_stream(row_id: str, sample: int) -> None:
    # An engine may use s, s + 1, ... for the samples of one request.
    here, there = (row_seed(row_id, "s", k) for k in (sample, sample + 1))
    assert abs(here - there) > 1_000_000


def test_identities_do_not_depend_on_the_hash_seed() -> None:
    code = (
        "from schemas.ids import row_seed, source_id as s; print(row_seed(s(7, 'magpie', 0), 'x'))"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("0", "1")
    }
    assert seen == {str(row_seed(source_id(7, "magpie", 0), "x"))}
