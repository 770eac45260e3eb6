"""Keep the best rows by any expression over their columns, in a mix of your choosing.

The score is a number for each row, such as `margin * log(len(chosen))`: see
`stages._column_expression`. Rows are ordered by it, highest first, and equal ones by row_id.
Without `stratify` the first `keep` of all stay. With it, those of each stratum do, a stratum being
the rows with one value of that column:

    proportional   as many of each as its part of the rows, by the largest remainders
    equal          as many of each as of any other; what a small stratum cannot fill goes to the
                   others, so that `keep` rows come together as long as there are that many
    quotas         what the recipe says for each value: counts, or shares of `keep`. A quota that
                   cannot be filled is filled as far as there are rows; values without a quota go

Choosing by a score that goes with length chooses by length: the rank correlation of the two is
always reported.

Reads: the columns that `by` and `stratify` name, and the texts whose length is compared.
Writes: quality_score, quality_rank.
Drops: `no_score` (the expression has no value: something in it is null, not finite or a division by
    0), `no_stratum` (the column is null), `no_quota`, `not_kept`.
Cost: none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from schemas.batch import Batch, Reject, Row
from schemas.columns import ROW_ID
from schemas.errors import Problem, RecipeError
from schemas.selection import QUALITY_RANK, QUALITY_SCORE, named_column
from schemas.stage import DatasetPass, Decision, PassContext, Stage, StageConfig
from stages._column_names import Measure, columns_named, measure, operands, values_of
from stages._column_reasons import seen_values
from stages._keeping import KEEP, Keep, keeping_notes, n_kept
from stages._preload import KERNELS
from stages._quotas import equal_parts, filled, proportional_parts, share_counts
from stages._ranking import RANK, ranked
from stages._texts import Texts, text_columns, texts_of

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

Quota = Annotated[int, Field(ge=0)] | Annotated[float, Field(gt=0, le=1)]


class Config(StageConfig):
    """Settings of `quality_mix`."""

    by: Measure = Field(
        description="The score: an expression over columns, such as `margin * log(len(chosen))`."
    )
    keep: Keep | None = Field(
        None, description=f"{KEEP} Needed, but where `quotas` are counts: they say it all."
    )
    stratify: str | None = Field(
        None, min_length=1, description="A column of texts, e.g. `source`: one stratum a value."
    )
    mix: Literal["proportional", "equal"] | None = Field(
        None,
        description="With `stratify` and no `quotas`: as many of each stratum as its part of the "
        "rows (`proportional`, also if not set), or as many of each as of any other (`equal`).",
    )
    quotas: dict[str, Quota] | None = Field(
        None,
        min_length=1,
        description="With `stratify`: how many rows of each value stay. All whole numbers: counts; "
        "all fractions, 1.0 at most together: shares of `keep`.",
    )
    text: Texts = Field(
        ("prompt",), description="The texts whose length the score is compared with."
    )

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        quotas = (self.quotas or {}).values()
        counts = [isinstance(quota, int) for quota in quotas]
        if self.quotas and self.stratify is None:
            raise ValueError("`quotas` are for the values of a column: name it in `stratify`")
        if self.mix is not None and (self.quotas or self.stratify is None):
            raise ValueError("`mix` is for `stratify` without `quotas`")
        if any(counts) and not all(counts):
            raise ValueError("`quotas` are all counts (whole numbers) or all shares (fractions)")
        if quotas and not any(counts) and sum(quotas) > 1 + 1e-9:
            raise ValueError(f"the shares in `quotas` come to {sum(quotas):g}, more than 1")
        if any(counts) and self.keep is not None:
            raise ValueError("`quotas` of counts say how many rows stay: leave `keep` out")
        if not any(counts) and self.keep is None:
            raise ValueError("set `keep`, or `quotas` of counts")
        return self


_SCORE = "score"
_STRATUM = "stratum"
_LENGTH = "length"
_KEPT = "kept"
_PLACE = "place"
_QUOTA = "quota"
_MANY = 50
"""So many strata are listed among the figures, the largest first."""


def sketch(batch: Batch, config: Config, context: PassContext) -> pa.Table:
    """Score, stratum and length of the rows of a part."""
    import pyarrow as pa
    import pyarrow.compute as pc

    table, expression = batch.table, measure(config.by)
    return pa.table(
        {
            ROW_ID.name: table.column(ROW_ID.name),
            _SCORE: values_of(table, expression, "number", f"stages.{context.stage}.by"),
            _STRATUM: _strata(table, config, context.stage),
            _LENGTH: pc.utf8_length(texts_of(table, config.text)).cast(pa.int64()),
        }
    )


def _strata(table: pa.Table, config: Config, step: str) -> pa.ChunkedArray:
    """The stratum of each row, by name; one without a name where nothing is stratified."""
    import pyarrow as pa

    if config.stratify is None:
        return pa.chunked_array([pa.repeat(pa.scalar("", pa.large_string()), len(table))])
    column = table.column(config.stratify)
    try:
        return column.cast(pa.large_string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
        seen = f"`{config.stratify}`, a column of {column.type}"
        allowed = "a column of texts, numbers or truth values"
        raise RecipeError([Problem(f"stages.{step}.stratify", seen, allowed)]) from error


def decide(sketches: pa.Table, config: Config, context: PassContext) -> Decision:
    """Which rows stay, and where each stands among all and in its stratum."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    from stages.kernels.strata import places_within

    scored, told = (pc.is_valid(sketches.column(name)) for name in (_SCORE, _STRATUM))
    usable = pc.and_(scored, told).to_numpy()
    places = ranked(sketches, _SCORE, "descending").column(RANK).to_numpy()
    names, strata = _coded(sketches.column(_STRATUM))
    sizes = np.bincount(strata[usable], minlength=len(names))
    sizes_by_name = dict(zip(names, sizes[: len(names)].tolist(), strict=True))
    parts, notes = _parts(sizes_by_name, config)
    quotas = np.array([*(parts.get(name, -1) for name in names), -1])[strata]
    within = places_within(strata, places, usable)
    kept = usable & (within < quotas)
    columns = {
        ROW_ID.name: sketches.column(ROW_ID.name),
        _SCORE: sketches.column(_SCORE),
        _STRATUM: sketches.column(_STRATUM),
        RANK: places_within(np.zeros(len(places), np.int64), places, usable) + 1,
        _PLACE: within + 1,
        _QUOTA: quotas,
        _KEPT: kept,
    }
    figures = _figures(sketches, usable, sizes_by_name, parts, config)
    return Decision(pa.table(columns), False, figures, notes)


def _coded(strata: pa.ChunkedArray) -> tuple[list[str], NDArray[np.int64]]:
    """The names of the strata, and the number of each row's; one more than the last for none."""
    import numpy as np
    import pyarrow.compute as pc

    names = pc.unique(strata).drop_null()
    codes = pc.index_in(strata, value_set=names).fill_null(len(names))
    return names.to_pylist(), codes.to_numpy().astype(np.int64)


def _parts(sizes: dict[str, int], config: Config) -> tuple[dict[str, int], tuple[str, ...]]:
    """How many rows of each stratum stay, and what is to be said of it."""
    total = sum(sizes.values())
    kept = total if config.keep is None else n_kept(config.keep, total)
    notes = () if config.keep is None else keeping_notes(config.keep, total)
    if config.quotas is None:
        divide = equal_parts if config.mix == "equal" else proportional_parts
        return divide(kept, sizes), notes
    counts = {name: quota for name, quota in config.quotas.items() if isinstance(quota, int)}
    parts, short = filled(counts or share_counts(kept, config.quotas), sizes)
    return parts, (*notes, *short)


def _figures(
    sketches: pa.Table,
    usable: NDArray[np.bool_],
    sizes: dict[str, int],
    parts: dict[str, int],
    config: Config,
) -> dict[str, Any]:
    from stages.kernels.rank_correlation import rank_correlation

    scores, lengths = (sketches.column(name).to_numpy()[usable] for name in (_SCORE, _LENGTH))
    largest = sorted(sizes, key=lambda name: (-sizes[name], name))[:_MANY]
    figures = {
        "kept": sum(parts.values()),
        "length_rank_correlation": rank_correlation(scores, lengths),
    }
    if config.stratify is None:
        return figures
    strata = {name: {"rows": sizes[name], "kept": parts.get(name, 0)} for name in largest}
    return {**figures, "strata": strata}


def apply(batch: Batch, decision: pa.Table, config: Config) -> Batch:
    """Keep the rows of a part that were chosen, with score and place."""
    import numpy as np
    import pyarrow as pa

    kept = decision.filter(decision.column(_KEPT))
    table = pa.table(
        {
            ROW_ID.name: kept.column(ROW_ID.name),
            QUALITY_SCORE.name: kept.column(_SCORE),
            QUALITY_RANK.name: kept.column(RANK),
        }
    )
    gone = np.flatnonzero(~decision.column(_KEPT).to_numpy())
    return Batch(table, tuple(_rejects(batch.table, decision, gone, config)))


def _rejects(
    table: pa.Table, decision: pa.Table, gone: NDArray[np.int64], config: Config
) -> Iterator[Reject]:
    import pyarrow as pa

    table = table.take(pa.array(gone))
    raws = texts_of(table, config.text).to_pylist()
    columns = operands(table, measure(config.by))
    for place, fact in enumerate(decision.take(pa.array(gone)).to_pylist()):
        if fact[_SCORE] is None:
            code, why = "no_score", f"`{config.by}` has no value"
            if seen := seen_values(columns, place):
                why = f"{why}: {seen}"
        else:
            code, why = _why(fact, config)
        yield Reject(fact[ROW_ID.name], code, why, raws[place] or "")


def _why(fact: Row, config: Config) -> tuple[str, str]:
    """Why a row with a score does not stay."""
    score, stratum = f"quality_score {fact[_SCORE]:.6g}", fact[_STRATUM]
    if stratum is None:
        return "no_stratum", f"`{config.stratify}` is null; {score}"
    if fact[_QUOTA] < 0:
        return "no_quota", f"there is no quota for `{stratum}`; {score}"
    of = "" if config.stratify is None else f" of `{stratum}`"
    return "not_kept", f"{score} is place {fact[_PLACE]}{of}; the first {fact[_QUOTA]} stay"


def _fitted(config: Config) -> Stage[Config]:
    named = columns_named(measure(config.by))
    stratum = () if config.stratify is None else (named_column(config.stratify),)
    reads = tuple(dict.fromkeys((*text_columns(config.text), *named, *stratum)))
    return replace(STAGE, reads=reads)


STAGE = Stage(
    name="quality_mix",
    version=1,
    summary="Keep the best rows by an expression over columns, in a mix of strata",
    config=Config,
    run=None,
    effect="filter",
    writes=(QUALITY_SCORE, QUALITY_RANK),
    dataset_pass=DatasetPass(sketch=sketch, decide=decide, apply=apply),
    preload=KERNELS,
    fitted=_fitted,
)
