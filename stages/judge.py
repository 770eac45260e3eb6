"""Compare the answers of a prompt in pairs, each pair in both orders.

A model reads the conversation and two answers and names the better one. What counts is not its
text but the probability it gives to either label as the next token, f(u, v) for the answer shown
first, as AlpacaEval 2 does (Dubois et al., 2024, arXiv 2404.04475). Judges favour a position, so
both orders are asked: P(a wins) = (f(a, b) + 1 - f(b, a)) / 2, which turns into 1 - P when a and b
swap. A pair is consistent if both orders prefer the same answer, the rule of MT-Bench (Zheng et
al., 2023, arXiv 2306.05685). An answer's score is the mean of P(it wins) over its judged pairs,
inconsistent ones included: theirs is close to one half by itself.

Reads: messages, responses.
Writes: judgements, one per judged pair; scores in [0, 1], one per answer with a judged pair.
Drops: of a pair: `same_text`, `judge_low_mass`, `engine_<kind>`; the reject names the pair's first
    answer, the message the second. Of a row: `no_judgement`, or `engine_<kind>` if an engine
    failure is among the causes.
Cost: N (N - 1) requests for N answers, one next-token distribution each.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

from pydantic import Field

from prompts import judge_pairwise
from schemas.batch import Batch, Reject, Row, make_batch
from schemas.columns import JUDGEMENTS, MESSAGES, RESPONSES, ROW_ID, SCORES
from schemas.layouts import same_text
from schemas.models import Failure, LabelProbs, LabelRequest, Message
from schemas.rejects import engine_code, lost_row
from schemas.stage import Context, ModelRole, Need, Stage, StageConfig


class Config(StageConfig):
    """Settings of `judge`."""

    model: ModelRole = Field(description="The judge.")
    mode: Literal["pairwise"] = Field(
        "pairwise", description="`pairwise`: every two answers of a prompt are compared."
    )
    min_label_mass: float = Field(
        0.01,
        ge=0,
        le=1,
        description="Least probability that the judge must give to the labels together, in both "
        "orders. Below it the judge was about to say something else, and the pair is not judged.",
    )


@dataclass(frozen=True, slots=True)
class Match:
    """Two answers of a row, to be judged in both orders."""

    row_id: str
    first: Row
    second: Row

    def reject(self, code: str, problem: str, raw: str = "") -> Reject:
        """Turn this pair away; the row lives on."""
        ids = self.first["response_id"], self.second["response_id"]
        return Reject(
            self.row_id,
            code,
            f"answers {ids[0]} and {ids[1]}: {problem}",
            raw or f"{self.first['text']}\n\n{self.second['text']}",
            response_id=ids[0],
        )


Answer = LabelProbs | Failure


def run(batch: Batch, config: Config, context: Context) -> Batch:
    """Judge every pair of every row; see the module's text."""
    rows = batch.rows
    matches = [match for row in rows for match in _matches(row)]
    differ = [match for match in matches if not _same(match)]
    answers = iter(_ask(differ, {row[ROW_ID.name]: row for row in rows}, config, context))
    judged: defaultdict[str, list[Row]] = defaultdict(list)
    turned_away: defaultdict[str, list[Reject]] = defaultdict(list)
    for match in matches:
        outcome = _outcome(match, answers, config, context.stage)
        if isinstance(outcome, Reject):
            turned_away[match.row_id].append(outcome)
        else:
            judged[match.row_id].append(outcome)
    kept = [
        _labelled(row, judged[row[ROW_ID.name]], context.stage)
        for row in rows
        if judged[row[ROW_ID.name]]
    ]
    rejects = [reject for group in turned_away.values() for reject in group]
    lost = [row for row in rows if not judged[row[ROW_ID.name]]]
    rejects += [_lost(row, turned_away[row[ROW_ID.name]]) for row in lost]
    return make_batch((ROW_ID, SCORES, JUDGEMENTS), kept, rejects)


def _matches(row: Row) -> list[Match]:
    return [Match(row[ROW_ID.name], a, b) for a, b in combinations(row[RESPONSES.name], 2)]


def _same(match: Match) -> bool:
    return same_text(match.first["text"], match.second["text"])


def _ask(
    matches: list[Match], rows: dict[str, Row], config: Config, context: Context
) -> list[Answer]:
    """Two answers per match: the first shown first, then the second shown first."""
    requests = [
        request
        for match in matches
        for request in _requests(match, rows[match.row_id], config, context)
    ]
    return context.model(config.model).label_probs(requests) if requests else []


def _requests(match: Match, row: Row, config: Config, context: Context) -> Iterator[LabelRequest]:
    messages = [Message(turn["role"], turn["content"]) for turn in row[MESSAGES.name]]
    for shown in ((match.first, match.second), (match.second, match.first)):
        question = judge_pairwise.build(messages, shown[0]["text"], shown[1]["text"])
        yield LabelRequest(
            f"{match.row_id}/{shown[0]['response_id']}/{shown[1]['response_id']}",
            context.chat(config.model).render(question),
            judge_pairwise.LABELS,
        )


def _outcome(
    match: Match, answers: Iterator[Answer], config: Config, labeller: str
) -> Row | Reject:
    if _same(match):
        return match.reject("same_text", "the same text, nothing to compare")
    both: list[LabelProbs] = []
    failures: list[Failure] = []
    for answer in (next(answers), next(answers)):
        if isinstance(answer, Failure):
            failures.append(answer)
        else:
            both.append(answer)
    if failures:
        return match.reject(engine_code(failures[0]), failures[0].message, failures[0].raw)
    mass = min(answer.mass for answer in both)
    # No mass at all has no ratio either, whatever the limit.
    if mass == 0 or mass < config.min_label_mass:
        limit = f"{mass:.3g}, less than min_label_mass {config.min_label_mass:g}"
        return match.reject("judge_low_mass", f"the labels got a probability of {limit}")
    return _judgement(match, both, mass, labeller)


def _judgement(match: Match, both: list[LabelProbs], mass: float, labeller: str) -> Row:
    shown_first = judge_pairwise.prefer_first(both[0].probs)
    other_first = judge_pairwise.prefer_first(both[1].probs)
    shown_second = 1 - other_first
    return {
        "labeller": labeller,
        "response_a": match.first["response_id"],
        "response_b": match.second["response_id"],
        "p_a_shown_first": shown_first,
        "p_a_shown_second": shown_second,
        "p_a": judge_pairwise.symmetric(shown_first, other_first),
        "label_mass": mass,
        "consistent": (shown_first - 0.5) * (shown_second - 0.5) > 0,
    }


def win_rates(judgements: list[Row]) -> dict[str, float]:
    """Mean P(it wins) over its pairs, by response_id."""
    wins: defaultdict[str, list[float]] = defaultdict(list)
    for judgement in judgements:
        wins[judgement["response_a"]].append(judgement["p_a"])
        wins[judgement["response_b"]].append(1 - judgement["p_a"])
    return {response_id: sum(values) / len(values) for response_id, values in wins.items()}


def _labelled(row: Row, judgements: list[Row], labeller: str) -> dict[str, Any]:
    rates = win_rates(judgements)
    scores = [
        {"response_id": response["response_id"], "labeller": labeller, "score": rate}
        for response in row[RESPONSES.name]
        if (rate := rates.get(response["response_id"])) is not None
    ]
    return {
        ROW_ID.name: row[ROW_ID.name],
        SCORES.name: [*row[SCORES.name], *scores],
        JUDGEMENTS.name: [*row[JUDGEMENTS.name], *judgements],
    }


def _lost(row: Row, causes: list[Reject]) -> Reject:
    """A row none of whose pairs could be judged."""
    return lost_row(
        row[ROW_ID.name],
        causes,
        code="no_judgement",
        what="pairs could be judged",
        nothing="fewer than two answers",
        raw="\n\n".join(response["text"] for response in row[RESPONSES.name]),
    )


def _needs(config: Config) -> tuple[Need, ...]:
    return (Need("model", config.model, frozenset(("label_probs",))),)


def _prompts(config: Config) -> tuple[str, ...]:
    return (judge_pairwise.PROMPT,)


STAGE = Stage(
    name="judge",
    version=1,
    summary="Compare answers in pairs, each pair in both orders",
    config=Config,
    run=run,
    effect="map",
    reads=(MESSAGES, RESPONSES),
    extends=(SCORES, JUDGEMENTS),
    needs=_needs,
    prompts=_prompts,
)
