"""Find the pairs whose label is doubtful, and soften those labels.

The self-refinement of SPA (Kim et al., 2024, arXiv 2406.04412; code: kingdy2002/SPA,
`dpo_trainer.py`): the pairs in which a model is least sure of the label are taken to be noisy, and
their target gives `smoothing` to the rejected answer. With m the trainer's DPO margin and s the
pair's label_smoothing, its loss is -(1 - s) log sigmoid(m) - s log sigmoid(-m).

Confidence is sigmoid(beta r(chosen) - beta r(rejected)), r being the log-likelihood ratio of
`model` to `reference` over an answer's tokens. To de-couple it from the labels, as SPA does,
`model` is an entry of the policy with `extrapolate_from`: 0.5 in the first round, then 0.25 and
0.125. Without models it is the labeller's own p_chosen: plain self-refinement, where that is the
policy.
TRL has no loss with a smoothing for each pair: its `loss_type="robust"` takes the mean of them all
as `label_smoothing`.
SPA takes its threshold from the last batches of training; here it is that of the whole dataset. And
there both ratio and extrapolation are away from the policy that the round starts with; before that
round's training it is the policy itself, so here they are away from the model named: the one that
the first round started with.

Reads: messages, chosen, rejected, p_chosen.
Writes: confidence, is_noisy, label_smoothing.
Drops: `no_confidence` (no models and no p_chosen), `not_finite`, `engine_<kind>`.
Cost: two forward passes over both answers and their prompt; none without models.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator

from schemas.batch import Batch, Reject, Row, make_batch
from schemas.columns import (
    CHOSEN,
    CONFIDENCE,
    IS_NOISY,
    LABEL_SMOOTHING,
    MESSAGES,
    P_CHOSEN,
    REJECTED,
    ROW_ID,
)
from schemas.models import Capability, Failure, Score, ScoreRequest
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
from stages.logit import implicit_reward, preference

if TYPE_CHECKING:
    import pyarrow as pa


class Config(StageConfig):
    """Settings of `self_refine`."""

    model: ModelRole | None = Field(
        None,
        description="Whose confidence counts: the policy, or an entry that is extrapolated from "
        "it. None: the labeller's.",
    )
    reference: ModelRole | None = Field(
        None, description="With `model`: the model that the policy was trained from."
    )
    beta: float = Field(
        0.1,
        gt=0,
        description="With `model`: strength of the KL penalty that the rewards are taken to have.",
    )
    noisy_share: float = Field(
        0.1,
        ge=0,
        le=1,
        description="Share of the pairs, least confident first, that are noisy; rounded down.",
    )
    smoothing: float = Field(
        0.1, ge=0, le=0.5, description="How much of a noisy label goes to the rejected answer."
    )

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.model is None) != (self.reference is None):
            raise ValueError("`model` and `reference` go together: name both or none")
        return self


_ANSWERS = (CHOSEN.name, REJECTED.name)


def run(batch: Batch, config: Config, context: Context) -> Batch:
    """Ask how sure the model is of each pair; which are noisy is decided on all of them."""
    kept: list[Row] = []
    rejects: list[Reject] = []
    for row, outcome in _confidences(batch.rows, config, context):
        if isinstance(outcome, Reject):
            rejects.append(outcome)
        else:
            hard = {IS_NOISY.name: False, LABEL_SMOOTHING.name: 0.0}
            kept.append({ROW_ID.name: row[ROW_ID.name], CONFIDENCE.name: outcome, **hard})
    return make_batch((ROW_ID, *STAGE.writes), kept, rejects)


def _confidences(
    rows: Sequence[Row], config: Config, context: Context
) -> Iterator[tuple[Row, float | Reject]]:
    if config.model is None or config.reference is None:
        yield from ((row, _labellers(row)) for row in rows)
        return
    # All of one model, then all of the other: they take turns on the device.
    model, reference = (_ask(rows, role, context) for role in (config.model, config.reference))
    for row, ours, theirs in zip(rows, model, reference, strict=True):
        yield row, _confidence(row, (*ours, *theirs), config.beta)


def _labellers(row: Row) -> float | Reject:
    p_chosen: float | None = row[P_CHOSEN.name]
    if p_chosen is None:
        message = "the labeller gave no p_chosen; name a `model` and a `reference`"
        return Reject(row[ROW_ID.name], "no_confidence", message, _raw(row))
    return p_chosen


def _raw(row: Row) -> str:
    return f"{row[CHOSEN.name]}\n\n{row[REJECTED.name]}"


Pair = tuple[Score | Failure, ...]
"""What a model says of the chosen and of the rejected answer."""


def _ask(rows: Sequence[Row], role: str, context: Context) -> list[Pair]:
    chat = context.chat(role)
    requests: list[ScoreRequest] = []
    for row in rows:
        prompt = chat.render(conversation(row))
        requests += [
            ScoreRequest(f"{row[ROW_ID.name]}/{which}", prompt, row[which]) for which in _ANSWERS
        ]
    answers = context.model(role).score(requests) if requests else []
    return list(zip(answers[::2], answers[1::2], strict=True))


def _confidence(row: Row, answers: Pair, beta: float) -> float | Reject:
    """P(chosen beats rejected), from the model's and the reference's two likelihoods."""
    sums: list[float] = []
    for answer in answers:
        if isinstance(answer, Failure):
            code = engine_code(answer)
            return Reject(row[ROW_ID.name], code, answer.message, answer.raw or _raw(row))
        sums.append(answer.logprob_sum)
    chosen, rejected = implicit_reward(sums[0], sums[2]), implicit_reward(sums[1], sums[3])
    if not math.isfinite(chosen - rejected):
        message = f"the log-likelihood ratios are {chosen} and {rejected}"
        return Reject(row[ROW_ID.name], "not_finite", message, _raw(row))
    return preference(chosen, rejected, beta)


def sketch(batch: Batch, config: Config, context: PassContext) -> pa.Table:
    """The confidences of a part's pairs."""
    return batch.table.select([ROW_ID.name, CONFIDENCE.name])


def decide(sketches: pa.Table, config: Config, context: PassContext) -> Decision:
    """Which pairs are noisy."""
    import pyarrow.compute as pc

    places = ranked(sketches, CONFIDENCE.name, "ascending")
    # As a decimal: 0.29 times 100 is 29, not a little less.
    n_noisy = math.floor(Fraction(str(config.noisy_share)) * len(places))
    noisy = pc.less(places.column(RANK), n_noisy)
    return Decision(sketches.select([ROW_ID.name]).append_column(IS_NOISY.name, noisy))


def apply(batch: Batch, decision: pa.Table, config: Config) -> Batch:
    """Mark the noisy pairs of a part."""
    import pyarrow.compute as pc

    noisy = decision.column(IS_NOISY.name)
    smoothing = pc.if_else(noisy, config.smoothing, 0.0)
    table = batch.table
    for column, values in ((IS_NOISY, noisy), (LABEL_SMOOTHING, smoothing)):
        place = table.schema.get_field_index(column.name)
        table = table.set_column(place, table.schema.field(place), values)
    return Batch(table)


def _needs(config: Config) -> tuple[Need, ...]:
    ability: frozenset[Capability] = frozenset(("score",))
    roles = (("model", config.model), ("reference", config.reference))
    return tuple(Need(key, role, ability) for key, role in roles if role is not None)


STAGE = Stage(
    name="self_refine",
    version=1,
    summary="Mark the pairs with doubtful labels and soften those (SPA)",
    config=Config,
    run=run,
    effect="map",
    reads=(MESSAGES, CHOSEN, REJECTED, P_CHOSEN),
    writes=(CONFIDENCE, IS_NOISY, LABEL_SMOOTHING),
    dataset_pass=DatasetPass(sketch=sketch, decide=decide, apply=apply),
    needs=_needs,
)
