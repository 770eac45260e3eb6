"""Make two pairs of each scored pair, under prompts that state the score to reach.

Reward-augmented preference data (Zhang et al., 2024, arXiv 2410.08067). Under a goal g an answer is
worth R(x, y, g) = -(g - r(x, y))^2. So where the prompt asks for the winner's score the winner is
preferred, and where it asks for the loser's score the loser is; any pairwise trainer then learns a
policy that is asked for the highest score when it is used. With several attributes the prompt
states a goal for each, and R is the negative sum of squares.

The paper's code keeps pairs with equal scores, which contradict each other under one prompt, and
its variant for models without a system turn never swaps the answers and writes the goal twice into
one prompt. Here such pairs are dropped, the answers are swapped, and both answers of a row share
one prompt.

Reads: lineage, messages, the pair's answers with ids, models and scores; scores, for attributes.
Writes: messages with the goal; goals; the answers, swapped in the second pair; score_chosen and
    score_rejected, the rewards R under the goal, and their margin; p_chosen, null, since nobody
    compared answers under a goal; labeller, this step. The scores themselves stay in `scores`; what
    `self_refine` and `ches` found out about the pair does not stay.
Drops: `tie` (both goals read the same), `off_scale`, `no_attribute_score`, `attributes_disagree`
    (the rejected answer has the higher mean over the attributes).
Cost: none; twice the rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

from pydantic import Field, model_validator

from prompts.goal import PROMPT, Place, goal_text, with_goal
from schemas.batch import Batch, Reject, Row, make_batch
from schemas.columns import (
    CHES,
    CHOSEN,
    CHOSEN_ID,
    CHOSEN_MODEL,
    CHOSEN_TOKENS,
    CONFIDENCE,
    GOALS,
    IS_NOISY,
    LABEL_SMOOTHING,
    LABELLER,
    LINEAGE,
    LN_CHES,
    MARGIN,
    MESSAGES,
    P_CHOSEN,
    P_CHOSEN_WINS,
    P_REJECTED_WINS,
    REJECTED,
    REJECTED_ID,
    REJECTED_MODEL,
    REJECTED_TOKENS,
    ROW_ID,
    SCORE_CHOSEN,
    SCORE_REJECTED,
    SCORES,
)
from schemas.ids import child_id
from schemas.stage import Context, Stage, StageConfig
from stages._scored import scores_by

_OVERALL = "overall"
_TEXTS = ((CHOSEN, REJECTED), (CHOSEN_ID, REJECTED_ID), (CHOSEN_MODEL, REJECTED_MODEL))

Goals = dict[str, float]
"""Score by name of the attribute, or by `overall`."""


class Config(StageConfig):
    """Settings of `reward_augment`."""

    attributes: tuple[str, ...] = Field(
        (),
        description="State a goal for each of these labellers, e.g. `judge/helpfulness`; `[]` "
        "states one, the score that made the pair.",
    )
    place: Place = Field(
        "system",
        description="Where the goal stands: in the `system` turn, or before the first `user` text "
        "for models without a system role.",
    )
    lowest: float = Field(1.0, description="Lowest score that the labeller gives.")
    highest: float = Field(10.0, description="Highest score that the labeller gives.")
    digits: int = Field(2, ge=0, le=6, description="Goals are rounded to this many decimals.")

    @model_validator(mode="after")
    def _is_a_scale(self) -> Self:
        if self.lowest >= self.highest:
            raise ValueError("`lowest` must be less than `highest`")
        return self


def run(batch: Batch, config: Config, context: Context) -> Batch:
    """Two pairs per pair, or a reject that says why not."""
    pairs: list[Row] = []
    rejects: list[Reject] = []
    for row in batch.rows:
        chosen, rejected = (
            _scores(row, CHOSEN_ID.name, config),
            _scores(row, REJECTED_ID.name, config),
        )
        if fault := _fault(chosen, rejected, config):
            texts = f"{row[CHOSEN.name]}\n\n{row[REJECTED.name]}"
            rejects.append(Reject(row[ROW_ID.name], *fault, texts))
        else:
            pairs += _augmented(row, chosen, rejected, config, context.stage)
    return make_batch((ROW_ID, *STAGE.writes), pairs, rejects)


def _scores(row: Row, response_id: str, config: Config) -> Goals:
    """The scores of one side, rounded; those of attributes as far as they were given."""
    if not config.attributes:
        column = SCORE_CHOSEN if response_id == CHOSEN_ID.name else SCORE_REJECTED
        given = {_OVERALL: row[column.name]}
    else:
        given = {name: scores_by(row, name).get(row[response_id]) for name in config.attributes}
    found = {name: score for name, score in given.items() if score is not None}
    return {name: round(score, config.digits) for name, score in found.items()}


def _fault(chosen: Goals, rejected: Goals, config: Config) -> tuple[str, str] | None:
    """Why the pair cannot be augmented, as code and message."""
    names = config.attributes or (_OVERALL,)
    for side, scores in (("chosen", chosen), ("rejected", rejected)):
        for name in names:
            if name not in scores:
                return "no_attribute_score", f"the {side} answer has no score `{name}`"
            if not config.lowest <= scores[name] <= config.highest:
                scale = f"outside {config.lowest:g} to {config.highest:g}"
                return (
                    "off_scale",
                    f"the {side} answer has score `{name}` {scores[name]:g}, {scale}",
                )
    if chosen == rejected:
        return "tie", f"both answers have the goals {chosen}, rounded to {config.digits} decimals"
    means = (sum(scores.values()) / len(scores) for scores in (chosen, rejected))
    higher, lower = means
    if higher < lower:
        means_text = f"{higher:.6g} and {lower:.6g}"
        return "attributes_disagree", f"the mean scores of chosen and rejected are {means_text}"
    return None


def _augmented(
    row: Row, chosen: Goals, rejected: Goals, config: Config, stage: str
) -> Iterator[dict[str, Any]]:
    """The pair under the winner's scores, then the swapped pair under the loser's."""
    gap = sum((chosen[name] - rejected[name]) ** 2 for name in chosen)
    for which, goals in (("high", chosen), ("low", rejected)):
        yield {
            ROW_ID.name: child_id(row[ROW_ID.name], stage, which),
            LINEAGE.name: [*row[LINEAGE.name], {"stage": stage, "row_id": row[ROW_ID.name]}],
            MESSAGES.name: with_goal(row[MESSAGES.name], _text(goals, config), config.place),
            GOALS.name: [{"name": name, "score": score} for name, score in goals.items()],
            SCORE_CHOSEN.name: 0.0,
            SCORE_REJECTED.name: -gap,
            MARGIN.name: gap,
            P_CHOSEN.name: None,
            P_CHOSEN_WINS.name: None,
            P_REJECTED_WINS.name: None,
            LABELLER.name: stage,
            **_answers(row, swapped=which == "low"),
        }


def _answers(row: Row, *, swapped: bool) -> dict[str, Any]:
    sides: dict[str, Any] = {}
    for preferred, other in _TEXTS:
        first, second = (other, preferred) if swapped else (preferred, other)
        sides |= {preferred.name: row[first.name], other.name: row[second.name]}
    return sides


def _text(goals: Goals, config: Config) -> str:
    named = [(name.rpartition("/")[2].replace("_", " "), goal) for name, goal in goals.items()]
    stated = [(name[:1].upper() + name[1:], goal) for name, goal in named]
    return goal_text(stated, config.lowest, config.highest)


def _prompts(config: Config) -> tuple[str, ...]:
    return (PROMPT,)


STAGE = Stage(
    name="reward_augment",
    version=2,
    summary="Make two pairs of each, under prompts that state the score to reach",
    config=Config,
    run=run,
    effect="expand",
    reads=(
        LINEAGE,
        MESSAGES,
        CHOSEN,
        REJECTED,
        CHOSEN_ID,
        REJECTED_ID,
        CHOSEN_MODEL,
        REJECTED_MODEL,
        SCORE_CHOSEN,
        SCORE_REJECTED,
    ),
    optional=(SCORES,),
    writes=(
        LINEAGE,
        MESSAGES,
        GOALS,
        CHOSEN,
        REJECTED,
        CHOSEN_ID,
        REJECTED_ID,
        CHOSEN_MODEL,
        REJECTED_MODEL,
        SCORE_CHOSEN,
        SCORE_REJECTED,
        MARGIN,
        P_CHOSEN,
        P_CHOSEN_WINS,
        P_REJECTED_WINS,
        LABELLER,
    ),
    # Said of the pair as it was: under a goal, and swapped, it is another one.
    drops=(
        CONFIDENCE,
        IS_NOISY,
        LABEL_SMOOTHING,
        CHES,
        LN_CHES,
        CHOSEN_TOKENS,
        REJECTED_TOKENS,
    ),
    prompts=_prompts,
)
