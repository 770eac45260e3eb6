"""MinHash signatures of rows' texts, and the settings that two of them must share to compare.

What stands here, `dedup` computes of its rows and `export_signatures` of a release's.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import Field

from schemas.stage import StageConfig
from stages._texts import Texts

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

_FORMAT = "prefmill-signatures-1"
"""Raised with every change by which the same text would get another signature or fingerprint."""


RECALL = 0.98
"""Chance that two sets exactly as alike as the threshold meet in a band; others meet more."""


class SignatureConfig(StageConfig):
    """The settings that decide a text's signature."""

    text: Texts = Field(
        ("prompt",),
        description="Which texts of a row count, joined by a line break: `prompt` (the last user "
        "turn), `conversation`, `system`, `answer`, `chosen`, `rejected`.",
    )
    unicode: Literal["none", "NFC", "NFKC"] = Field(
        "NFC", description="The Unicode form in which texts are compared; `none` as they are."
    )
    lowercase: bool = Field(True, description="Compare texts in lower case.")
    shingle: Literal["word", "character"] = Field(
        "word",
        description="What n-grams are made of: words, which white space parts, or characters, one "
        "space between words. With `character` texts without spaces are told apart too.",
    )
    ngram: int = Field(5, ge=1, le=1000, description="Words or characters in an n-gram.")
    num_perm: int = Field(128, ge=1, le=4096, description="Permutations in a MinHash signature.")
    seed: int = Field(
        1,
        ge=0,
        lt=2**63,
        description="Seed of the permutations. Not the recipe's, so that one release can be "
        "compared with the next.",
    )


def bands_for(threshold: float, num_perm: int) -> tuple[int, int] | None:
    """(bands, rows) for a Jaccard threshold: the most rows in a band that still give `RECALL`.

    Longer bands bring fewer candidates, and candidates only cost time: they are all verified
    (Leskovec, Rajaraman, Ullman: Mining of Massive Datasets, 3.4). None if even bands of one row
    find too few: `num_perm` is too small for that threshold.
    """
    for rows in range(num_perm, 0, -1):
        if chance_to_meet(threshold, num_perm // rows, rows) >= RECALL:
            return num_perm // rows, rows
    return None


def chance_to_meet(similarity: float, bands: int, rows: int) -> float:
    """P(the signatures of two sets of that Jaccard similarity agree in at least one band)."""
    return 1 - (1 - similarity**rows) ** bands


class Signatures(NamedTuple):
    """Of n texts: their sets of n-grams, and their signatures.

    Attributes:
        starts: i64[n + 1], where each set begins in `shingles`, and the last one's end.
        shingles: u64[starts[n]], hashes, ascending and distinct in each set.
        signed: u32[n, num_perm].
    """

    starts: NDArray[np.int64]
    shingles: NDArray[np.uint64]
    signed: NDArray[np.uint32]


def signatures_of(texts: pa.LargeStringArray, config: SignatureConfig) -> Signatures:
    """Sign each text. A text of fewer tokens than `ngram`, also an empty one, is one n-gram."""
    from stages.kernels.minhash import permutations, signatures
    from stages.kernels.shingles import shingle_sets
    from stages.kernels.texts import buffers_of, normalised, with_single_spaces

    buffers = buffers_of(normalised(texts, config.unicode, config.lowercase))
    if config.shingle == "character":
        buffers = with_single_spaces(*buffers)
    starts, shingles = shingle_sets(*buffers, config.ngram, config.shingle == "word")
    signed = signatures(starts, shingles, *permutations(config.num_perm, config.seed))
    return Signatures(starts, shingles, signed)


def fingerprints_of(texts: pa.LargeStringArray, config: SignatureConfig) -> NDArray[np.uint64]:
    """u64[n, 2]: XXH64, under two seeds, of each normalised text with one space between words."""
    from stages.kernels.texts import buffers_of, normalised, with_single_spaces
    from stages.kernels.xxh64 import fingerprints

    buffers = buffers_of(normalised(texts, config.unicode, config.lowercase))
    hashed: NDArray[np.uint64] = fingerprints(*with_single_spaces(*buffers))
    return hashed


def scheme_of(config: SignatureConfig) -> str:
    """How signatures are made, as JSON: equal texts make signatures that are equal."""
    settings = {name: getattr(config, name) for name in SignatureConfig.model_fields}
    return json.dumps({"format": _FORMAT, **settings})
