"""Row identities and per-row seeds: the same on any machine, for any sharding, in any order.

An id is a 128-bit BLAKE2b digest of its parts. Each part is length-prefixed and tagged with its
type, so that ("ab", "c") and ("a", "bc"), or 1 and "1", never collide by joining.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

Part = str | int

_SEED_BITS = 63
"""Engines take signed 64-bit seeds; 63 bits keeps them positive."""


def digest(*parts: Part) -> str:
    """Return 32 hex digits that stand for exactly these parts in this order."""
    return _hash(parts).hexdigest()


def _hash(parts: Sequence[Part]) -> hashlib.blake2b:
    # Every row goes through here several times: one call of the hash, not one per part.
    return hashlib.blake2b(b"".join(map(_encoded, parts)), digest_size=16)


def _encoded(part: Part) -> bytes:
    # Lone surrogates are legal in a Python str; they must not make identity fail.
    encoded = str(part).encode("utf-8", "surrogatepass")
    tag = b"i" if isinstance(part, int) else b"s"
    return tag + len(encoded).to_bytes(8, "little") + encoded


def source_id(recipe_seed: int, stage: str, *origin: Part) -> str:
    """Identity of a row that a source made, from its content or its position."""
    return digest("source", recipe_seed, stage, *origin)


def source_ids(recipe_seed: int, stage: str, positions: Iterable[int]) -> list[str]:
    """`source_id` of each position; what they have in common is hashed once."""
    common = _hash(("source", recipe_seed, stage))
    found = []
    for position in positions:
        hashed = common.copy()
        hashed.update(_encoded(position))
        found.append(hashed.hexdigest())
    return found


def child_id(parent: str, stage: str, *which: Part) -> str:
    """Identity of a row or response that `stage` derived from the row `parent`."""
    return digest("child", parent, stage, *which)


def release_seed(recipe_seed: int, number: int) -> int:
    """The recipe's seed in a release of a dataset that grows; the first has the recipe's own."""
    if number == 1:
        return recipe_seed
    return row_seed(digest("release", recipe_seed, number), "release")


def row_seed(row_id: str, stage: str, *which: Part) -> int:
    """Sampling seed for one request: 0 <= seed < 2**63.

    Hashed, never consecutive: engines give sample k of a request the seed s + k, so neighbouring
    seeds would share random streams.
    """
    hashed = _hash(("seed", row_id, stage, *which)).digest()
    return int.from_bytes(hashed[:8], "big") >> (64 - _SEED_BITS)
