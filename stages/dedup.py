"""Drop rows whose text another row has already, exactly or nearly.

`exact` compares normalised texts by 128 bits of XXH64, white space of any kind and length being one
space. `minhash` compares sets of n-grams: two texts are alike from a Jaccard similarity of
`threshold`. Candidates agree in a band of their MinHash signatures (Broder, 1997; 128 permutations,
and of bands the longest that find a pair exactly at the threshold with a chance of 0.98, 18 of 7
rows at 0.8), and of each candidate the similarity is computed from the sets themselves, so what is
dropped is alike. `semantic` compares all embeddings by their cosine.

The best row is the one with the highest `priority`, then the smallest row_id. `greedy` goes from
the best row to the worst and drops what is like a row that it kept: of a chain A, B, C with A like
B and B like C but not A, it keeps A and C. `component` keeps A alone, the best of all that are
linked. Rows of the `index`, earlier releases, come before all others and are never dropped
themselves.

Signatures are computed in Numba on Arrow's buffers and not by a library: on 50,000 texts gaoya and
rensa take some five times the CPU time, most of it to make sets of strings, and verify nothing;
datasketch, whose estimates have the same distribution, takes fifteen times.

Reads: the texts that `text` names; embedding, with `method: semantic`; the column `priority`.
Writes: nothing.
Drops: `duplicate`, `in_index`; the message names the row that it duplicates and how like it is.
Cost: `minhash` some 20 CPU-microseconds a row of 1,000 characters, 8 bytes of disk for each
    distinct n-gram, and 200 bytes of memory a row. `semantic` grows with the square of the rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from schemas.batch import Batch, Reject, Row
from schemas.columns import ROW_ID
from schemas.selection import EMBEDDING, named_column
from schemas.stage import DatasetPass, Decision, Location, PassContext, Stage, Tables
from stages._duplicates import (
    DUPLICATE_OF,
    IN_INDEX,
    PRIORITY,
    SIMILARITY,
    Likeness,
    decide_on,
    of_embeddings,
    of_fingerprints,
    of_signatures,
)
from stages._index import as_sketches
from stages._preload import KERNELS
from stages._signatures import (
    RECALL,
    SignatureConfig,
    bands_for,
    fingerprints_of,
    signatures_of,
)
from stages._texts import text_columns, texts_of

if TYPE_CHECKING:
    import pyarrow as pa

_THRESHOLDS = {"exact": 1.0, "minhash": 0.8, "semantic": 0.95}
_MEASURES = {"minhash": "Jaccard similarity", "semantic": "cosine"}


class Config(SignatureConfig):
    """Settings of `dedup`."""

    method: Literal["exact", "minhash", "semantic"] = Field(
        "minhash",
        description="What is a duplicate: the same text (`exact`), one with about the same n-grams "
        "(`minhash`), or one with about the same embedding (`semantic`).",
    )
    threshold: float | None = Field(
        None,
        gt=0,
        le=1,
        description="From which similarity on: Jaccard's for `minhash`, 0.8 if not set; the cosine "
        "for `semantic`, 0.95 if not set.",
    )
    mode: Literal["greedy", "component"] = Field(
        "greedy",
        description="Drop what is like a row that is kept (`greedy`), or all but the best of rows "
        "that are linked, be it through others (`component`).",
    )
    priority: str | None = Field(
        None,
        min_length=1,
        description="Name of a column: of duplicates, the row with the highest value stays, then "
        "the one with the smallest row_id; rows without a value come last.",
    )
    index: tuple[Location, ...] = Field(
        (),
        description="Folders or files of `signatures` that earlier releases exported: what they "
        "have is dropped. For `exact` and `minhash`.",
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.method == "exact" and self.threshold is not None:
            raise ValueError("`threshold` is not for `method: exact`: remove it")
        if self.method == "semantic" and self.index:
            raise ValueError("`index` holds no embeddings: `method` must be `exact` or `minhash`")
        if self.method == "minhash" and bands_for(self.least, self.num_perm) is None:
            raise ValueError(
                f"num_perm {self.num_perm} finds fewer than {RECALL:.0%} of the pairs at threshold "
                f"{self.least:g}: raise num_perm or the threshold"
            )
        return self

    @property
    def least(self) -> float:
        """The threshold, as set or by default."""
        return _THRESHOLDS[self.method] if self.threshold is None else self.threshold

    @property
    def bands(self) -> tuple[int, int] | None:
        """How many bands of how many rows `minhash` looks for candidates in."""
        return bands_for(self.least, self.num_perm) if self.method == "minhash" else None


def sketch(batch: Batch, config: Config, context: PassContext) -> pa.Table:
    """What the rows of a part are compared by.

    Raises:
        InputError: an embedding has no direction, or not as many dimensions as others.
    """
    table = batch.table
    sketches = table.select([ROW_ID.name])
    if config.priority is not None:
        sketches = sketches.append_column(PRIORITY, table.column(config.priority))
    if config.method == "semantic":
        columns = of_embeddings(table)
    elif config.bands is None:
        columns = of_fingerprints(fingerprints_of(texts_of(table, config.text), config))
    else:
        columns = of_signatures(signatures_of(texts_of(table, config.text), config), *config.bands)
    for name, values in columns.items():
        sketches = sketches.append_column(name, values)
    return sketches


def decide(sketches: pa.Table, config: Config, context: PassContext) -> Decision:
    """Which rows stay, and of the others, for which row they go.

    Raises:
        InputError: an index that is none or was made with other settings; a priority that has no
            order.
    """
    earlier = [
        as_sketches(context.given(name), config, config.bands, config.index[place])
        for place, name in enumerate(_given(config))
    ]
    likeness = Likeness(config.method, config.least, config.mode, config.bands)
    return decide_on(sketches, earlier, likeness)


def apply(batch: Batch, decision: pa.Table, config: Config) -> Batch:
    """Keep the rows that stand for themselves."""
    import pyarrow.compute as pc

    is_kept = pc.is_null(decision.column(DUPLICATE_OF))
    kept = batch.table.select([ROW_ID.name]).filter(is_kept)
    dropped = batch.table.filter(pc.invert(is_kept))
    if not len(dropped):
        return Batch(kept)
    reasons = decision.filter(pc.invert(is_kept)).to_pylist()
    texts = texts_of(dropped, config.text).to_pylist()
    rejects = (_reject(reason, text, config) for reason, text in zip(reasons, texts, strict=True))
    return Batch(kept, tuple(rejects))


def _reject(reason: Row, text: str, config: Config) -> Reject:
    of_index = " of the index" if reason[IN_INDEX] else ""
    message = f"duplicate of row {reason[DUPLICATE_OF]}{of_index}: {_how(reason, config)}"
    return Reject(reason[ROW_ID.name], "in_index" if of_index else "duplicate", message, text)


def _how(reason: Row, config: Config) -> str:
    if config.method == "exact":
        return "has the same text"
    similarity, least = reason[SIMILARITY], config.least
    limit = f"threshold {least:g}" if similarity >= least else "linked with it through other rows"
    return f"{_MEASURES[config.method]} {similarity:.4f}, {limit}"


def _given(config: Config) -> Mapping[str, Tables]:
    return {f"index_{place:03}": Tables(path) for place, path in enumerate(config.index)}


def _fitted(config: Config) -> Stage[Config]:
    columns = text_columns(config.text)
    if config.method == "semantic":
        columns += (EMBEDDING,)
    if config.priority is not None:
        columns += (named_column(config.priority),)
    return replace(STAGE, reads=tuple(dict.fromkeys(columns)))


STAGE = Stage(
    name="dedup",
    version=1,
    summary="Drop rows whose text, n-grams or embedding another row has already",
    config=Config,
    run=None,
    effect="filter",
    reads=text_columns(("prompt",)),
    dataset_pass=DatasetPass(sketch=sketch, decide=decide, apply=apply),
    given=_given,
    preload=KERNELS,
    fitted=_fitted,
)
