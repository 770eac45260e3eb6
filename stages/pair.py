"""Make one pair of each prompt: the best answer by score against the worst.

Best against worst is how UltraFeedback was made binary for Zephyr, but for its random loser
(Tunstall et al., 2023, arXiv 2310.16944); the random loser is left out because it shrinks the
margin. Equal scores are no preference and make no pair, unless the recipe lets length decide.
Where a judge compared the two directly,
that verdict counts too: a pair whose winner depends on who was shown first is not a label.

Reads: lineage, responses, scores; judgements and implicit_rewards where they exist.
Writes: chosen, rejected with ids, models and scores; margin in units of the score; p_chosen from
    the judge, or sigmoid(margin) if the scores are implicit rewards (`logit` has applied beta).
    The pair is a child of its row.
Drops: of an answer: `empty_text`. Of a row: `too_few_scored`, `tie`, `small_margin`, `same_text`,
    and with `require_consistent`: `pair_not_judged`, `position_inconsistent`, `direct_loss` (the
    judge prefers the rejected answer when it sees both).
Cost: none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from schemas.batch import Batch, Reject, Row, make_batch
from schemas.columns import (
    CHOSEN,
    CHOSEN_ID,
    CHOSEN_MODEL,
    IMPLICIT_REWARDS,
    JUDGEMENTS,
    LABELLER,
    LINEAGE,
    MARGIN,
    P_CHOSEN,
    REJECTED,
    REJECTED_ID,
    REJECTED_MODEL,
    RESPONSES,
    ROW_ID,
    SCORE_CHOSEN,
    SCORE_REJECTED,
    SCORES,
)
from schemas.errors import Problem, RecipeError
from schemas.ids import child_id
from schemas.layouts import is_blank, same_text
from schemas.stage import Context, Stage, StageConfig
from stages.logit import preference


class Config(StageConfig):
    """Settings of `pair`."""

    strategy: Literal["best_worst"] = Field(
        "best_worst", description="`best_worst`: highest score against lowest, one pair a prompt."
    )
    labeller: str | None = Field(
        None,
        description="Name of the step whose scores decide; None takes the only one there is.",
        min_length=1,
    )
    min_margin: float = Field(
        0.0, ge=0, description="Least difference of the two scores, in the labeller's own units."
    )
    ties: Literal["drop", "shortest"] = Field(
        "drop",
        description="What to do if all scores are equal: `drop` the row, or prefer the `shortest` "
        "answer to the longest, against the length bias of judges; the margin is 0 then.",
    )
    require_consistent: bool = Field(
        True,
        description="Where the labeller judged pairs: take a pair only if the judge preferred the "
        "chosen answer whichever was shown first.",
    )


@dataclass(frozen=True, slots=True)
class Scored:
    """An answer with its score."""

    response: Row
    score: float

    @property
    def id(self) -> str:
        """Its response_id."""
        response_id: str = self.response["response_id"]
        return response_id

    @property
    def text(self) -> str:
        """What it says."""
        text: str = self.response["text"]
        return text


def run(batch: Batch, config: Config, context: Context) -> Batch:
    """One pair per row, or a reject that says why not.

    Raises:
        RecipeError: several labellers scored the row and the recipe names none.
    """
    pairs: list[Row] = []
    rejects: list[Reject] = []
    for row in batch.rows:
        outcome = _pair(row, config, context.stage)
        rejects += _blanks(row)
        if isinstance(outcome, Reject):
            rejects.append(outcome)
        else:
            pairs.append(outcome)
    return make_batch((ROW_ID, *STAGE.writes), pairs, rejects)


def _blanks(row: Row) -> list[Reject]:
    blank = [response for response in row[RESPONSES.name] if is_blank(response["text"])]
    message = "an answer without text can be neither chosen nor rejected"
    return [
        Reject(row[ROW_ID.name], "empty_text", message, response["text"], response["response_id"])
        for response in blank
    ]


def _pair(row: Row, config: Config, stage: str) -> Row | Reject:
    labeller = _labeller(row, config, stage)
    scored = _scored(row, labeller)
    if len(scored) < 2:
        message = f"{len(scored)} of {len(row[RESPONSES.name])} answers have a score; 2 are needed"
        return _reject(row, "too_few_scored", message)
    best, worst = _extremes(scored, config)
    p_chosen = _p_chosen(row, labeller, best, worst)
    return _objection(row, config, labeller, best, worst) or {
        ROW_ID.name: child_id(row[ROW_ID.name], stage, best.id, worst.id),
        LINEAGE.name: [*row[LINEAGE.name], {"stage": stage, "row_id": row[ROW_ID.name]}],
        LABELLER.name: labeller,
        MARGIN.name: best.score - worst.score,
        P_CHOSEN.name: p_chosen,
        **_side(best, CHOSEN.name, CHOSEN_ID.name, CHOSEN_MODEL.name, SCORE_CHOSEN.name),
        **_side(worst, REJECTED.name, REJECTED_ID.name, REJECTED_MODEL.name, SCORE_REJECTED.name),
    }


def _extremes(scored: list[Scored], config: Config) -> tuple[Scored, Scored]:
    """The answers to prefer and to reject; ids decide between equals."""

    def length(answer: Scored) -> int:
        """Counts only where all scores are equal and the recipe says so."""
        return len(answer.text.strip()) if config.ties == "shortest" and tied else 0

    tied = len({answer.score for answer in scored}) == 1
    best = min(scored, key=lambda answer: (-answer.score, length(answer), answer.id))
    worst = min(scored, key=lambda answer: (answer.score, -length(answer), answer.id))
    return best, worst


def _side(answer: Scored, text: str, response_id: str, model: str, score: str) -> dict[str, Any]:
    return {
        text: answer.text,
        response_id: answer.id,
        model: answer.response["model"],
        score: answer.score,
    }


def _labeller(row: Row, config: Config, stage: str) -> str:
    found = sorted({score["labeller"] for score in row[SCORES.name]})
    if config.labeller is not None:
        return config.labeller
    if len(found) > 1:
        raise RecipeError(
            [
                Problem(
                    key=f"stages.{stage}.labeller",
                    seen="not set, and several steps scored the answers",
                    allowed=", ".join(found),
                    advice=f"Name one of them, e.g. `labeller: {found[0]}`.",
                )
            ]
        )
    return found[0] if found else ""


def _scored(row: Row, labeller: str) -> list[Scored]:
    """Answers with text and a score by the labeller."""
    scores = {
        score["response_id"]: score["score"]
        for score in row[SCORES.name]
        if score["labeller"] == labeller
    }
    return [
        Scored(response, scores[response["response_id"]])
        for response in row[RESPONSES.name]
        if response["response_id"] in scores and not is_blank(response["text"])
    ]


def _objection(
    row: Row, config: Config, labeller: str, best: Scored, worst: Scored
) -> Reject | None:
    """Why these two make no pair; None if they do."""
    margin = best.score - worst.score
    if margin == 0 and (config.ties == "drop" or len(best.text.strip()) == len(worst.text.strip())):
        return _reject(row, "tie", f"all its scores are {best.score:.6g}")
    if margin < config.min_margin:
        limit = f"less than min_margin {config.min_margin:g}"
        return _reject(row, "small_margin", f"the scores differ by {margin:.6g}, {limit}")
    if same_text(best.text, worst.text):
        return _reject(row, "same_text", "the best and the worst answer are the same text")
    judged = any(judgement["labeller"] == labeller for judgement in row[JUDGEMENTS.name])
    return _unsure(row, labeller, best, worst) if config.require_consistent and judged else None


def _unsure(row: Row, labeller: str, best: Scored, worst: Scored) -> Reject | None:
    judgement = _judgement(row, labeller, best, worst)
    if judgement is None:
        return _reject(row, "pair_not_judged", f"{best.id} and {worst.id} were not compared")
    if not judgement["consistent"]:
        orders = f"{judgement['p_a_shown_first']:.3f} and {judgement['p_a_shown_second']:.3f}"
        message = f"P({judgement['response_a']} wins) is {orders}, shown first and second"
        return _reject(row, "position_inconsistent", message)
    p_chosen = _p_first(judgement, best)
    if p_chosen < 0.5:
        message = f"best by score, but P(chosen beats rejected) is {p_chosen:.3f}"
        return _reject(row, "direct_loss", message)
    return None


def _judgement(row: Row, labeller: str, first: Scored, second: Scored) -> Row | None:
    wanted = {first.id, second.id}
    for judgement in row[JUDGEMENTS.name]:
        answers = {judgement["response_a"], judgement["response_b"]}
        if judgement["labeller"] == labeller and answers == wanted:
            found: Row = judgement
            return found
    return None


def _p_first(judgement: Row, first: Scored) -> float:
    p_a: float = judgement["p_a"]
    return p_a if judgement["response_a"] == first.id else 1 - p_a


def _p_chosen(row: Row, labeller: str, best: Scored, worst: Scored) -> float | None:
    if judgement := _judgement(row, labeller, best, worst):
        return _p_first(judgement, best)
    if any(reward["labeller"] == labeller for reward in row[IMPLICIT_REWARDS.name]):
        return preference(best.score, worst.score, beta=1)  # beta is in the scores
    return None


def _reject(row: Row, code: str, message: str) -> Reject:
    texts = (response["text"] for response in row[RESPONSES.name])
    return Reject(row[ROW_ID.name], code, message, "\n\n".join(texts))


STAGE = Stage(
    name="pair",
    version=1,
    summary="Make one pair of each prompt: best answer against worst",
    config=Config,
    run=run,
    effect="expand",
    reads=(LINEAGE, RESPONSES, SCORES),
    optional=(JUDGEMENTS, IMPLICIT_REWARDS),
    writes=(
        LINEAGE,
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
        LABELLER,
    ),
    drops=(RESPONSES, SCORES, JUDGEMENTS, IMPLICIT_REWARDS),
)
