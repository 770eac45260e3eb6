"""Drop rows that hold what benchmarks ask.

An item is one text of a benchmark. Words are runs of letters and digits and are compared whatever
their case, accents, punctuation and spacing; in the scripts of Chinese and Japanese each character
is a word. An overlap is a run of words that stands in the row and in the item, of at least `ngram`
words. A row is dropped by the first of these rules that it breaks:

    long_match   so many words in a row. 13 is what GPT-3's training data was filtered by (Brown et
                 al., 2020, arXiv 2005.14165, appendix C).
    item_share   share of one item's words that stand in overlaps. Llama 3 (2024, arXiv 2407.21783)
                 measures it with 8-grams; Tulu 3 (Lambert et al., 2024, arXiv 2411.15124) takes
                 more than half for contamination. PaLM (2022, arXiv 2204.02311) counts n-grams
                 instead: 70 % of the 8-grams.
    row_share    share of the row's words that stand in overlaps with any item.
    jaccard      shared n-grams of row and item, of all different ones that either has: what MinHash
                 estimates, computed, for every pair that shares one.
    short_item   an item of fewer words than an n-gram, whole and in a row; one of fewer words than
                 `short_item_words`, only in a row that is nothing else.

Candidates come from hashes and are compared word by word: two n-grams with one hash are no overlap.
Paraphrases and translations are not found.

Reads: the columns of `text`.
Writes: nothing.
Drops: `long_match`, `item_share`, `row_share`, `jaccard`, `short_item`, each with the item, the
    value, the limit and the span of the row.
Cost: linear in the text, no model; the benchmarks are indexed once in each worker.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Self

from pydantic import Field, model_validator

from schemas.batch import Batch, Reject
from schemas.columns import ROW_ID
from schemas.errors import InputError
from schemas.stage import Context, Location, Records, Stage, StageConfig
from stages._contamination import Benchmarks, Item, Limits, findings, index_items
from stages._given_texts import FileFormat, given_texts
from stages._preload import KERNELS
from stages._texts import Texts, text_columns, texts_of


class Benchmark(StageConfig):
    """A file of test items."""

    name: str = Field(min_length=1, description="What messages call it.")
    path: Location = Field(
        description="A file, a glob, a folder, or a dataset id with `format: hf`. Relative paths "
        "start from the recipe's folder."
    )
    fields: tuple[str, ...] = Field(
        min_length=1,
        description="Fields whose texts are looked for, each on its own; of a list each text is an "
        "item, and a dot goes into a record within, as in `turns.content`.",
    )
    format: FileFormat = Field(
        "auto", description="`auto` goes by the file's ending; `hf` asks Hugging Face's hub."
    )
    config: str | None = Field(None, description="For `format: hf`: which config of the dataset.")
    split: str = Field("test", description="For `format: hf`: which split.")
    revision: str | None = Field(None, description="For `format: hf`: branch, tag or commit.")


class Config(StageConfig):
    """Settings of `decontaminate`."""

    benchmarks: tuple[Benchmark, ...] = Field(
        min_length=1, description="The benchmarks that the rows must not hold."
    )
    text: Texts = Field(
        ("conversation",),
        description="What of a row is searched: `prompt`, `conversation`, `system`, `answer`, "
        "`chosen`, `rejected`; several are searched as one text.",
    )
    ngram: int = Field(
        8, ge=1, description="Words of an n-gram: the least overlap that counts for a share."
    )
    long_match: int | None = Field(
        13, ge=1, description="Drop rows with so many words in a row of an item; None: no matter."
    )
    item_share: float | None = Field(
        0.5, gt=0, le=1, description="Drop rows that hold this share of an item's words."
    )
    row_share: float | None = Field(
        None, gt=0, le=1, description="Drop rows of which this share of words stands in items."
    )
    jaccard: float | None = Field(
        None, gt=0, le=1, description="Drop rows whose n-grams are so similar to an item's."
    )
    short_item_words: int = Field(
        5,
        ge=1,
        description="Items of fewer words, shorter than an n-gram, are looked for only in rows "
        "that are nothing else; other short ones in a row anywhere.",
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        names = [benchmark.name for benchmark in self.benchmarks]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"`benchmarks` has two of the name `{twice[0]}`")
        if self.long_match is None and not self._by_share:
            raise ValueError("all rules are off: set `long_match`, a share or `jaccard`")
        if self.long_match is not None and self._by_share and self.long_match < self.ngram:
            raise ValueError(
                f"`long_match` is {self.long_match}, shorter than an n-gram of {self.ngram} words; "
                "lower `ngram`"
            )
        return self

    @property
    def _by_share(self) -> bool:
        return any(limit is not None for limit in (self.item_share, self.row_share, self.jaccard))

    @property
    def least_overlap(self) -> int:
        """Words of the shortest overlap that some rule counts."""
        return self.ngram if self._by_share or self.long_match is None else self.long_match


def run(batch: Batch, config: Config, context: Context) -> Batch:
    """Drop the rows that overlap too much; see the module's text.

    Raises:
        InputError: a benchmark that cannot be read, or has nothing in the fields named.
    """
    import numpy as np
    import pyarrow as pa

    benchmarks = context.once("benchmarks", lambda: _benchmarks(config, context))
    texts = texts_of(batch.table, config.text)
    ids = batch.table.column(ROW_ID.name)
    rejects = []
    kept = np.ones(len(batch), dtype=np.bool_)
    for found in findings(texts, benchmarks, _limits(config)):
        kept[found.row] = False
        row_id, raw = ids[found.row].as_py(), texts[found.row].as_py()
        rejects.append(Reject(row_id, found.rule, found.message, raw))
    return Batch(batch.table.select([ROW_ID.name]).filter(pa.array(kept)), tuple(rejects))


def _limits(config: Config) -> Limits:
    return {
        "long_match": config.long_match,
        "item_share": config.item_share,
        "row_share": config.row_share,
        "jaccard": config.jaccard,
        "short_item": 1,
    }


def _benchmarks(config: Config, context: Context) -> Benchmarks:
    items = tuple(item for one in config.benchmarks for item in _items(one, context))
    return index_items(items, config.least_overlap, config.short_item_words)


def _items(benchmark: Benchmark, context: Context) -> Iterator[Item]:
    what = f"benchmark `{benchmark.name}`"
    texts = list(given_texts(context.given(benchmark.name), benchmark.fields, what))
    if not any(character.isalnum() for given in texts for character in given.text):
        fields = ", ".join(f"`{field}`" for field in benchmark.fields)
        raise InputError(f"{what}: no text in {fields} of any record; name the fields that have it")
    return (Item(benchmark.name, given) for given in texts)


def _given(config: Config) -> dict[str, Records]:
    return {benchmark.name: _records(benchmark) for benchmark in config.benchmarks}


def _records(benchmark: Benchmark) -> Records:
    options = {
        "config": benchmark.config,
        "revision": benchmark.revision,
        "split": benchmark.split,
    }
    set_options = tuple((key, value) for key, value in options.items() if value is not None)
    return Records(path=benchmark.path, format=benchmark.format, options=set_options)


def _fitted(config: Config) -> Stage[Config]:
    return replace(STAGE, reads=text_columns(config.text))


STAGE = Stage(
    name="decontaminate",
    version=1,
    summary="Drop rows that hold what benchmarks ask",
    config=Config,
    run=run,
    effect="filter",
    reads=text_columns(("conversation",)),
    given=_given,
    preload=KERNELS,
    fitted=_fitted,
)
