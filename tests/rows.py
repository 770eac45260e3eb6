"""Example rows for any stage, and a model whose answers vary: for tests that cover every stage."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from pipeline.engines.scripted import ScriptedGenerator
from schemas.arrow import arrow_schema
from schemas.columns import RAW_PLACE, RAW_PROBLEM, RAW_RECORD, ROW_ID
from schemas.ids import digest
from schemas.models import (
    EmbedRequest,
    Failure,
    GenerateRequest,
    LabelRequest,
    RewardRequest,
    ScoreRequest,
)
from schemas.stage import Positions, Stage, StageConfig
from tests.support import given_table

CONFIGS: dict[str, dict[str, Any]] = {
    "ches": {"model": "policy", "keep": 0.5},
    "deita": {"model": "policy", "keep": 0.5},
    "isa": {"keep": 0.5},
    "embed": {"model": "policy", "text": ["prompt", "system"]},
    "filter": {"where": "words(prompt) < 9 and not contains(prompt, '6')", "min_chars": 5},
    "judge": {"model": "policy"},
    "load_answers": {"path": "a.jsonl", "on_bad_record": "reject", "keep": {"size": "number"}},
    "load_pairs": {"path": "a.jsonl", "on_bad_record": "reject", "keep": {"size": "number"}},
    "load_prompts": {"path": "a.jsonl", "on_bad_record": "reject"},
    "decontaminate": {
        "benchmarks": [{"name": "benchmark", "path": "b.jsonl", "fields": ["text"]}],
        "ngram": 4,
        "long_match": 4,
    },
    "dsir": {"target": "t.jsonl", "keep": 0.5},
    "logit": {"model": "policy", "reference": "reference"},
    "magpie": {"model": "policy", "rows": 8, "turns": 2},
    "calibrate": {"labellers": ["judge"]},
    "diversity": {"keep": 3},
    "consensus": {"labellers": ["judge"], "mode": "votes"},
    "respond": {"model": ["policy", "reference"], "n": 2},
    "quality_mix": {"by": "margin * len(chosen)", "keep": 5},
    "reward": {"model": "policy"},
    "similarity": {"model": "policy", "target": "t.jsonl"},
    "self_refine": {"model": "policy", "reference": "reference", "noisy_share": 0.5},
    "verify": {"mode": "answer"},
    "zipfit": {"target": "target.jsonl", "keep": 0.5},
    "reward_augment": {"lowest": 0, "highest": 1},
    "unpair": {"desirable_from": 0.8, "undesirable_to": 0.2},
}
"""Settings of stages that have required ones."""

GIVEN = {
    "target": given_table(
        [{"text": "What is number 3?"}, {"text": "What is the capital of France?"}]
    ),
    "benchmark": given_table([{"text": "What is number 5? And what is number 6, if any?"}]),
}
"""Files that stages may ask for, by the name they have in `Stage.given`."""

ROWS = 8


def example_config(stage: Stage[Any]) -> StageConfig:
    """Settings that a stage can be tried with, read as a recipe's are."""
    text = json.dumps(CONFIGS.get(stage.name, {}))
    config: StageConfig = stage.config.model_validate_json(text)
    return config


def example_table(stage: Stage[Any], config: StageConfig, rows: int = ROWS) -> pa.Table:
    """Rows with what a stage may see, and some columns of no interest to it."""
    return table_of(stage, config, [example_row(i) for i in range(rows)])


def table_of(stage: Stage[Any], config: StageConfig, rows: Sequence[dict[str, Any]]) -> pa.Table:
    """A table of those of the rows' columns that come before this stage."""
    columns = [ROW_ID, *stage.reads, *stage.extends, *stage.optional]
    if stage.feed is not None and not isinstance(stage.feed(config), Positions):
        columns += [RAW_RECORD, RAW_PLACE, RAW_PROBLEM]
    schema = arrow_schema(columns)
    listed = [{name: row[name] for name in schema.names} for row in rows]
    return pa.Table.from_pylist(listed, schema=schema)


def example_row(i: int) -> dict[str, Any]:
    """Row `i`, consistent in itself: scores and judgements prefer the first answer to the last.

    Row 3 has answers that were cut off, row 4 the same answer three times, row 5 a bad record.
    """
    ids = [f"{i}-{letter}" for letter in "abc"]
    texts = [f"The {place} answer to number {i}." for place in ("best", "middle", "worst")]
    if i == 4:
        texts = [texts[0]] * 3
    labelled = {"labeller": "judge"}
    return {
        "row_id": digest("example", i),
        "lineage": [],
        "source": "examples",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": f"What is number {i}?"},
        ],
        "responses": [_response(*pair, cut=i == 3) for pair in zip(ids, texts, strict=True)],
        "scores": [
            labelled | {"response_id": response_id, "score": score}
            for response_id, score in zip(ids, (0.9, 0.5, 0.1), strict=True)
        ],
        "judgements": [labelled | _judgement(ids[a], ids[b]) for a, b in ((0, 1), (0, 2), (1, 2))],
        "reward_readings": [],
        "label_smoothing": None,
        "goals": [{"name": "judge", "score": 3.0}],
        "verdicts": [],
        "implicit_rewards": [
            labelled
            | {
                "response_id": response_id,
                "policy_logprob_sum": policy,
                "policy_n_tokens": 6,
                "reference_logprob_sum": -9.0,
                "reference_n_tokens": 6,
            }
            for response_id, policy in zip(ids, (-5.0, -7.0, -9.0), strict=True)
        ],
        "preferences": [],
        "win_matrices": [],
        "rankings": [],
        "calibrations": [],
        "ranking": [
            {"response_id": response_id, "text": text, "model": "policy:scripted", "score": score}
            for response_id, text, score in zip(
                ids, ("The best.", "The middle.", "The worst."), (0.9, 0.5, 0.1), strict=True
            )
        ],
        "self_samples": [{"response_id": ids[1], "text": "An answer.", "model": "policy:scripted"}],
        "embedding": [float(i % 3), 1.0, 0.5],
        "embedding_rejected": [float(i % 2), 0.5, 1.0],
        "answer": f"An answer to number {i}.",
        "label": i % 2 == 0,
        "score": 0.9,
        "response_id": ids[0],
        "model": "policy:scripted",
        "order": i,
        "p_chosen_wins": 0.7,
        "p_rejected_wins": 0.3,
        "chosen": f"The best answer to number {i}.",
        "rejected": f"The worst answer to number {i}.",
        "chosen_id": ids[0],
        "rejected_id": ids[2],
        "chosen_model": "policy:scripted",
        "rejected_model": "policy:scripted",
        "score_chosen": 0.9,
        "score_rejected": 0.1,
        "margin": 0.8,
        "p_chosen": 0.75,
        "labeller": "judge",
        "gold_answers": [] if i == 6 else [f"{i}"],
        "constraints": [{"kind": "words", "arguments": '{"most": 6}'}],
        "checks": [],
        "raw_record": json.dumps(_record(i)),
        "finish_reason": None,
        "raw_place": f"a.jsonl:{i}",
        "raw_problem": "bad_record: no record" if i == 5 else None,
    }


def _record(i: int) -> dict[str, Any]:
    """A record that is a prompt, an answer or a pair, as one likes."""
    return {
        "prompt": f"What is number {i}?",
        "completion": f"An answer to number {i}.",
        "chosen": f"The best answer to number {i}.",
        "rejected": f"The worst answer to number {i}.",
        "size": i,
    }


def _response(response_id: str, text: str, *, cut: bool) -> dict[str, Any]:
    return {
        "response_id": response_id,
        "text": text,
        "model": "policy:scripted",
        "system": None,
        "finish_reason": "length" if cut else "stop",
        "n_tokens": 6,
        "logprob_sum": -6.0,
        "temperature": 1.0,
        "top_p": 1.0,
        "seed": 1,
        "is_baseline": False,
        "text_logprob_sum": None,
    }


def _judgement(response_a: str, response_b: str) -> dict[str, Any]:
    return {
        "response_a": response_a,
        "response_b": response_b,
        "p_a_shown_first": 0.8,
        "p_a_shown_second": 0.7,
        "p_a": 0.75,
        "label_mass": 0.9,
        "consistent": True,
        "alignment": "none",
        "round": None,
    }


def varied_model() -> ScriptedGenerator:
    """A model that says something else to each prompt and seed, and fails at some of them."""
    return ScriptedGenerator(_answer, _likelihood, _labels, worth=_worth, vector=_vector)


def _number(*parts: str | int) -> int:
    return int(digest(*parts), 16)


def _failed(number: int) -> bool:
    return number % 11 == 0


def _answer(request: GenerateRequest) -> str | Failure:
    number = _number(request.prompt.text or "", request.seed)
    if _failed(number):
        return Failure(request.request_id, "timeout", "no answer in 1 s")
    return f"What do you know about number {number % 1000}?"


def _likelihood(request: ScoreRequest) -> float | Failure:
    number = _number(request.prompt.text or "", request.completion)
    if _failed(number):
        return Failure(request.request_id, "context_length", "too long")
    return -1.0 - number % 10


def _worth(request: RewardRequest) -> float | Failure:
    number = _number(request.conversation.text or "")
    if _failed(number):
        return Failure(request.request_id, "context_length", "too long")
    return 5.0 - number % 10


def _vector(request: EmbedRequest) -> list[float] | Failure:
    number = _number(request.text)
    if _failed(number):
        return Failure(request.request_id, "timeout", "no answer in 1 s")
    return [1.0, number % 7, number % 10]


def _labels(request: LabelRequest) -> list[float] | Failure:
    number = _number(request.prompt.text or "")
    if _failed(number):
        return Failure(request.request_id, "no_logprobs", "none given")
    first = (1 + number % 9) / 10
    return [first, *[(1 - first) / (len(request.labels) - 1)] * (len(request.labels) - 1)]
