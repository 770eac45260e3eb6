"""Keep the rows whose words are likelier in a target than among all rows.

Data selection via importance resampling (Xie et al., 2023, arXiv 2302.03169; code: p-lambda/dsir,
`hashed_ngram_dsir.py`). Unigrams and bigrams are hashed into `buckets`; p is the share of each
bucket in the target, q that in all rows, and a text's log importance weight is the sum of
log(p + `smoothing`) - log(q + `smoothing`) over its n-grams. The rows of the highest log weight
plus Gumbel noise are a sample without replacement in proportion to the weights; without noise they
are the likeliest ones.

A sum over n-grams grows with the length of a text, to both sides, and noise of some units decides
between rows of like weight only. `normalise: length` ranks by the mean over n-grams instead; that
is no importance weight any more, so there is no noise to go with it.

The code's own choices are kept (10,000 buckets, smoothing of 1e-8, tokens that are runs of word
characters or of punctuation, in lower case) but for these: accents do not count, and in the scripts
of Chinese and Japanese each character is a token; n-grams have another hash; q is of all rows and
not of the first ones; noise comes from the recipe's seed and a row's identity, so that neither
order nor workers matter; texts of fewer than 100 tokens are not dropped.

Reads: the columns of `text`.
Writes: dsir_logratio, dsir_rank.
Drops: `not_selected`, `no_text` (nothing that could be weighed).
Cost: linear in the text, no model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from schemas.batch import Batch, Reject, Row
from schemas.columns import ROW_ID
from schemas.errors import InputError
from schemas.ids import digest
from schemas.selection import DSIR_LOGRATIO, DSIR_RANK
from schemas.stage import DatasetPass, Decision, PassContext, Stage
from stages._dropped import dropped
from stages._given_texts import given_texts, usual_field
from stages._importance import (
    bucket_log_ratio,
    buckets_of,
    counts,
    divergence,
    gumbel_noise,
    log_ratios,
)
from stages._keeping import KEEP, Keep, keeping_notes, n_kept
from stages._preload import KERNELS
from stages._ranking import RANK, ranked
from stages._targets import TARGET, TargetConfig, given_target
from stages._texts import Texts, text_columns, texts_of

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from stages.kernels.words import Places

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

MOST_BUCKETS = 1 << 16


class Config(TargetConfig):
    """Settings of `dsir`."""

    keep: Keep = Field(description=KEEP)
    text: Texts = Field(
        ("prompt",),
        description="What of a row is compared: `prompt`, `conversation`, `system`, `answer`, "
        "`chosen`, `rejected`; several are taken together.",
    )
    buckets: int = Field(
        10_000, ge=2, le=MOST_BUCKETS, description="Into how many buckets n-grams are hashed."
    )
    smoothing: float = Field(
        1e-8, gt=0, le=1, description="Added to each bucket's share before its logarithm."
    )
    noise: bool = Field(
        True, description="Sample in proportion to the weights; false: take the highest ones."
    )
    normalise: Literal["none", "length"] = Field(
        "none",
        description="`length`: rank by the mean over n-grams and not by their sum; needs "
        "`noise: false`.",
    )

    @model_validator(mode="after")
    def _noise_fits(self) -> Self:
        if self.noise and self.normalise == "length":
            raise ValueError(
                "`normalise: length` gives no importance weights to sample by: set `noise: false`"
            )
        return self


_BUCKETS, _NOISE, _CHARACTERS = "buckets", "noise", "characters"
_STAYS, _LIMIT = "stays", "limit"


def sketch(batch: Batch, config: Config, context: PassContext) -> pa.Table:
    """The buckets, the noise and the length of each row.

    Raises:
        InputError: a target that cannot be read, or has no text in the fields named.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    _target_counts(config, context)  # a target of no use is known before the work is done
    texts = texts_of(batch.table, config.text)
    ids = batch.table.column(ROW_ID.name).combine_chunks()
    seed = int(digest("dsir", context.recipe_seed, context.stage)[:16], 16)
    return pa.table(
        {
            ROW_ID.name: ids,
            _BUCKETS: buckets_of(texts, config.buckets),
            _NOISE: gumbel_noise(ids.cast(pa.large_string()), seed),
            _CHARACTERS: pc.utf8_length(texts).cast(pa.int64()),
        }
    )


def _target_counts(config: Config, context: PassContext) -> Places:
    """How often each bucket occurs in the target."""
    return context.once("target", lambda: _count_target(config, context))


def _count_target(config: Config, context: PassContext) -> Places:
    import pyarrow as pa

    records = context.given(TARGET)
    if not len(records):
        raise InputError("The target file has no records; it needs one text at least.")
    field = config.target_field or usual_field(records)
    given = given_texts(records, (field,), "the target")
    texts = [one.text.encode("utf-8", "replace").decode() for one in given]
    array = pa.array(texts, type=pa.large_string())
    target = counts(pa.chunked_array([buckets_of(array, config.buckets)]), config.buckets)
    if not target.sum():
        raise InputError(f"The target file has no text: `{field}` has no word in any record.")
    return target


def decide(sketches: pa.Table, config: Config, context: PassContext) -> Decision:
    """The log weight and the rank of each row, and which rows stay."""
    import numpy as np

    buckets, target = sketches.column(_BUCKETS), _target_counts(config, context)
    rows = counts(buckets, config.buckets)
    weights, sizes = log_ratios(buckets, bucket_log_ratio(target, rows, config.smoothing))
    if config.normalise == "length":
        weights /= np.maximum(sizes, 1)
    empty = sizes == 0
    limit = n_kept(config.keep, len(sketches) - int(empty.sum()))
    decided = _ranked(sketches, weights, empty, limit, config)
    kept = counts(buckets, config.buckets, decided.column(_STAYS).to_numpy())
    figures = {
        "rows": len(sketches),
        "kept": limit,
        **_divergences(target, rows, kept, config),
        **_length_bias(sketches, weights, empty),
    }
    notes = keeping_notes(config.keep, len(sketches) - int(empty.sum()))
    return Decision(decided, figures=figures, notes=(*notes, *_distance_notes(figures)))


def _ranked(
    sketches: pa.Table, weights: Floats, empty: Mask, limit: int, config: Config
) -> pa.Table:
    """The rows of the decision; those without text stand last and have no weight."""
    import pyarrow as pa
    import pyarrow.compute as pc

    noise = sketches.column(_NOISE).to_numpy() if config.noise else 0.0
    keys = pa.table(
        {
            ROW_ID.name: sketches.column(ROW_ID.name),
            DSIR_LOGRATIO.name: pa.array(weights + noise, mask=empty),
        }
    )
    places = ranked(keys, DSIR_LOGRATIO.name, "descending").column(RANK)
    return pa.table(
        {
            ROW_ID.name: sketches.column(ROW_ID.name),
            DSIR_LOGRATIO.name: pa.array(weights, mask=empty),
            DSIR_RANK.name: pc.add(places, 1),
            _STAYS: pc.less(places, limit),
            _LIMIT: pa.repeat(limit, len(sketches)),
        }
    )


def _divergences(target: Places, rows: Places, kept: Places, config: Config) -> dict[str, float]:
    """How far the n-grams of all rows and of those kept are from the target's."""
    before, after = (divergence(target, some, config.smoothing) for some in (rows, kept))
    return {"kl_all_rows": before, "kl_kept_rows": after, "kl_reduction": before - after}


def _distance_notes(figures: Mapping[str, Any]) -> tuple[str, ...]:
    if figures["kl_reduction"] >= 0:
        return ()
    return (
        "the rows that stay are further from the target than all rows together: KL "
        f"{figures['kl_kept_rows']:.4g} against {figures['kl_all_rows']:.4g} nats",
    )


def _length_bias(sketches: pa.Table, weights: Floats, empty: Mask) -> dict[str, float | None]:
    from stages.kernels.rank_correlation import rank_correlation

    # Their order decides the last digits of a sum.
    order = ranked(sketches, _CHARACTERS, "ascending").column(RANK).to_numpy().argsort()
    some = order[~empty[order]]
    lengths = sketches.column(_CHARACTERS).to_numpy()
    return {"length_rank_correlation": rank_correlation(weights[some], lengths[some])}


def apply(batch: Batch, decision: pa.Table, config: Config) -> Batch:
    """Keep the rows of a part that stand before the limit."""
    stays = decision.column(_STAYS)
    kept = decision.filter(stays).select([ROW_ID.name, DSIR_LOGRATIO.name, DSIR_RANK.name])
    what = "log importance weight" if config.normalise == "none" else "mean log ratio"
    gone = dropped(batch.table, decision, stays, config.text)
    return Batch(kept, tuple(_reject(verdict, text, what) for verdict, text, _ in gone))


def _reject(row: Row, text: str, what: str) -> Reject:
    value = row[DSIR_LOGRATIO.name]
    if value is None:
        return Reject(row[ROW_ID.name], "no_text", "its text has no word to weigh", text)
    rank, limit = row[DSIR_RANK.name], row[_LIMIT]
    message = f"its {what} {value:.6g} has rank {rank}, and `keep` takes {limit}"
    return Reject(row[ROW_ID.name], "not_selected", message, text)


def _fitted(config: Config) -> Stage[Config]:
    return replace(STAGE, reads=text_columns(config.text))


STAGE = Stage(
    name="dsir",
    version=1,
    summary="Keep the rows whose words are likelier in a target than elsewhere (DSIR)",
    config=Config,
    run=None,
    effect="filter",
    reads=text_columns(("prompt",)),
    writes=(DSIR_LOGRATIO, DSIR_RANK),
    dataset_pass=DatasetPass(sketch=sketch, decide=decide, apply=apply),
    given=given_target,
    preload=KERNELS,
    fitted=_fitted,
)
