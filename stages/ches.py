"""Keep the pairs least likely to make the chosen answer less likely when they are trained on.

CHES of "Unintentional Unalignment" (Razin et al., 2024, arXiv 2410.08847; code:
princeton-nlp/unintentional-unalignment, `ches.py`): preference training pushes down both answers of
a pair where the model holds them to be much the same. With S the sum of the last layer's hidden
states that predict an answer's tokens, it is <S+, S-> - ||S+||^2, and length-normalised
<S+, S-> / (|y+| |y-|) - ||S+||^2 / |y+|^2; the higher, the more displacement. Lengths are those of
the answers themselves and not of what they are padded to, as in the reference code, so a pair's
number does not depend on its batch.

Reads: messages, chosen, rejected.
Writes: ches, ln_ches, chosen_n_tokens, rejected_n_tokens.
Drops: `ches_too_high` (not among the lowest share of the dataset), `empty_text`, `not_finite`,
    `engine_<kind>`.
Cost: one forward pass over both answers and their prompt.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from pydantic import Field

from schemas.batch import Batch, Reject, Row, make_batch
from schemas.columns import (
    CHES,
    CHOSEN,
    CHOSEN_TOKENS,
    LN_CHES,
    MESSAGES,
    REJECTED,
    REJECTED_TOKENS,
    ROW_ID,
    Column,
)
from schemas.models import Failure, HiddenRequest, HiddenSum
from schemas.rejects import engine_code
from schemas.stage import (
    Context,
    DatasetPass,
    Decision,
    ModelRole,
    Need,
    PassContext,
    Stage,
    StageConfig,
)
from stages._ranking import RANK, ranked
from stages._rows import conversation

if TYPE_CHECKING:
    import pyarrow as pa


class Config(StageConfig):
    """Settings of `ches`."""

    model: ModelRole = Field(description="The model to be trained; it must show hidden states.")
    keep: float = Field(
        0.05,
        gt=0,
        le=1,
        description="Share of the pairs that stay, lowest first, rounded up. Up to 0.15 was about "
        "as good as 0.05; with more the effect was lost.",
    )
    normalised: bool = Field(
        True,
        description="Whether length-normalised CHES decides; raw CHES goes with the length.",
    )


Vector = Sequence[float]


def dot(first: Vector, second: Vector) -> float:
    """The inner product, exact but for one rounding."""
    return math.fsum(a * b for a, b in zip(first, second, strict=True))


def ches(chosen: Vector, rejected: Vector) -> float:
    """CHES of two answers from their vectors: sums of states, or means for the normalised one."""
    return dot(chosen, rejected) - dot(chosen, chosen)


def mean(states: HiddenSum) -> list[float]:
    """The mean state."""
    return [value / states.n_tokens for value in states.vector]


def run(batch: Batch, config: Config, context: Context) -> Batch:
    """Measure every pair; which of them stay is decided on all."""
    rows = batch.rows
    kept: list[Row] = []
    rejects: list[Reject] = []
    for row, answers in zip(rows, _ask(rows, config.model, context), strict=True):
        outcome = _measured(row, *answers)
        if isinstance(outcome, Reject):
            rejects.append(outcome)
        else:
            kept.append(outcome)
    return make_batch((ROW_ID, *STAGE.writes), kept, rejects)


_ANSWERS = (CHOSEN.name, REJECTED.name)
Answer = HiddenSum | Failure


def _ask(rows: Sequence[Row], role: str, context: Context) -> list[tuple[Answer, Answer]]:
    """The states of the chosen and of the rejected answer of each pair."""
    chat = context.chat(role)
    requests: list[HiddenRequest] = []
    for row in rows:
        messages = conversation(row)
        prompt = chat.render(messages)
        requests += [
            HiddenRequest(f"{row[ROW_ID.name]}/{which}", prompt, row[which]) for which in _ANSWERS
        ]
    states = context.hidden_reader(role).hidden_sums(requests) if requests else []
    return list(zip(states[::2], states[1::2], strict=True))


def _measured(row: Row, chosen: Answer, rejected: Answer) -> Row | Reject:
    for answer in (chosen, rejected):
        if isinstance(answer, Failure):
            return _reject(row, engine_code(answer), answer.message, answer.raw)
    assert isinstance(chosen, HiddenSum) and isinstance(rejected, HiddenSum)
    if not chosen.n_tokens or not rejected.n_tokens:
        return _reject(row, "empty_text", "an answer without a token has no hidden state")
    raw, normalised = (
        ches(chosen.vector, rejected.vector),
        ches(mean(chosen), mean(rejected)),
    )
    if not math.isfinite(raw) or not math.isfinite(normalised):
        return _reject(row, "not_finite", f"CHES is {raw}, length-normalised {normalised}")
    return {
        ROW_ID.name: row[ROW_ID.name],
        CHES.name: raw,
        LN_CHES.name: normalised,
        CHOSEN_TOKENS.name: chosen.n_tokens,
        REJECTED_TOKENS.name: rejected.n_tokens,
    }


def _reject(row: Row, code: str, message: str, raw: str = "") -> Reject:
    texts = f"{row[CHOSEN.name]}\n\n{row[REJECTED.name]}"
    return Reject(row[ROW_ID.name], code, message, raw or texts)


_VALUE = "value"
_STAYS = "stays"
_LIMIT = "limit"


def _measure(config: Config) -> Column:
    return LN_CHES if config.normalised else CHES


def sketch(batch: Batch, config: Config, context: PassContext) -> pa.Table:
    """What the pairs of a part are ordered by."""
    table = batch.table.select([ROW_ID.name, _measure(config).name])
    return table.rename_columns([ROW_ID.name, _VALUE])


def decide(sketches: pa.Table, config: Config, context: PassContext) -> Decision:
    """Where each pair stands among all, and the measure of the last one that stays."""
    import pyarrow as pa
    import pyarrow.compute as pc

    places = ranked(sketches, _VALUE, "ascending")
    # As a decimal: 0.07 times 100 is 7, not a little more.
    n_kept = math.ceil(Fraction(str(config.keep)) * len(places))
    stays = pc.less(places.column(RANK), n_kept)
    highest = pc.max(sketches.column(_VALUE).filter(stays))
    limits = pa.repeat(highest, len(places))
    return Decision(
        places.select([ROW_ID.name]).append_column(_STAYS, stays).append_column(_LIMIT, limits)
    )


def apply(batch: Batch, decision: pa.Table, config: Config) -> Batch:
    """Drop the pairs of a part that stand behind."""
    import pyarrow.compute as pc

    stays, name = decision.column(_STAYS), _measure(config).name
    gone = batch.table.filter(pc.invert(stays)).to_pylist()
    limits = decision.column(_LIMIT).filter(pc.invert(stays)).to_pylist()
    rejects = (
        _reject(
            row,
            "ches_too_high",
            f"{name} is {row[name]:.6g}, above {limit:.6g}, the highest of the lowest "
            f"{config.keep:g}",
        )
        for row, limit in zip(gone, limits, strict=True)
    )
    return Batch(batch.table.filter(stays), tuple(rejects))


def _needs(config: Config) -> tuple[Need, ...]:
    return (Need("model", config.model, frozenset(("hidden_states",))),)


STAGE = Stage(
    name="ches",
    version=1,
    summary="Keep the pairs that displace the chosen answer least (CHES)",
    config=Config,
    run=run,
    effect="filter",
    reads=(MESSAGES, CHOSEN, REJECTED),
    writes=(CHES, LN_CHES, CHOSEN_TOKENS, REJECTED_TOKENS),
    dataset_pass=DatasetPass(sketch=sketch, decide=decide, apply=apply),
    needs=_needs,
)
