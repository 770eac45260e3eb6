"""A row of a dataset as the row browser shows it: plain JSON values, whatever its config.

    id, config, split   which row it is
    kind                "pair": chosen and rejected; "answer": one; "ranking": several, in order;
                        "text": a text without a prompt
    prompt              turns {role, content}; those before the answer of a whole conversation
    chosen, rejected    of a pair: texts, with chosen_model and rejected_model
    answers             of the others: {text, score, model, label}; label true, false or null
    score_chosen, score_rejected, margin, p_chosen, label, source, labeller, lineage
    score               what rows are sorted and filtered by: of the chosen or the best answer
    extra               the other columns, those that hold one value

What a row does not have is null. A number that is not finite is null too, since JSON has none.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

from schemas.columns import (
    CHOSEN_MODEL,
    LABELLER,
    LINEAGE,
    MARGIN,
    P_CHOSEN,
    REJECTED_MODEL,
    ROW_ID,
    SCORE_CHOSEN,
    SCORE_REJECTED,
    SOURCE,
)
from schemas.layouts import (
    CHOSEN_TURN,
    COMPLETION,
    COMPLETIONS,
    LABEL,
    MODEL,
    MODELS,
    PROMPT,
    RANKING_SCORES,
    REJECTED_TURN,
    RESPONSE_ID,
    RESPONSE_IDS,
    SCORE,
    SELF_COMPLETIONS,
    TEXT,
)

Row = Mapping[str, Any]
Record = dict[str, Any]

_FACTS = (
    SCORE_CHOSEN,
    SCORE_REJECTED,
    MARGIN,
    P_CHOSEN,
    CHOSEN_MODEL,
    REJECTED_MODEL,
    LABEL,
    SCORE,
    SOURCE,
    LABELLER,
)
_TEXTS = (PROMPT, CHOSEN_TURN, REJECTED_TURN, COMPLETION, COMPLETIONS, SELF_COMPLETIONS, TEXT)
_SHOWN = {
    column.name
    for column in (*_FACTS, *_TEXTS, ROW_ID, LINEAGE, MODEL, MODELS, RANKING_SCORES, RESPONSE_IDS)
} | {RESPONSE_ID.name}


def is_browsable(columns: Collection[str]) -> bool:
    """Whether rows with these columns hold a text to look at; signatures hold none."""
    return any(column.name in columns for column in _TEXTS)


def kind_of(columns: Collection[str]) -> str:
    """What rows with these columns are: `pair`, `answer`, `ranking` or `text`."""
    if {CHOSEN_TURN.name, REJECTED_TURN.name} <= set(columns):
        return "pair"
    if COMPLETION.name in columns:
        return "answer"
    return "text" if TEXT.name in columns else "ranking"


def record_of(row: Row, config: str, split: str) -> Record:
    """A row of a dataset's config as the browser shows it."""
    kind = kind_of(row)
    record = {
        "id": row[ROW_ID.name],
        "config": config,
        "split": split,
        "kind": kind,
        "prompt": list(row.get(PROMPT.name) or ()),
        **{column.name: _plain(row.get(column.name)) for column in _FACTS},
        "lineage": list(row.get(LINEAGE.name) or ()),
        "extra": {
            name: _plain(value)
            for name, value in row.items()
            if name not in _SHOWN and not isinstance(value, list | dict)
        },
        **_ANSWERS[kind](row),
    }
    scores = (
        record[SCORE.name],
        record[SCORE_CHOSEN.name],
        *map(_score, record.get("answers", ())),
    )
    record[SCORE.name] = next((score for score in scores if score is not None), None)
    return record


def _pair(row: Row) -> Record:
    chosen, rejected = row[CHOSEN_TURN.name], row[REJECTED_TURN.name]
    answers = {CHOSEN_TURN.name: _text(chosen), REJECTED_TURN.name: _text(rejected)}
    if PROMPT.name in row:
        return answers
    return {**answers, PROMPT.name: list(chosen[:-1])}


def _answer(row: Row) -> Record:
    answer = {
        "text": _text(row[COMPLETION.name]),
        "score": _plain(row.get(SCORE.name)),
        "model": row.get(MODEL.name),
        "label": row.get(LABEL.name),
    }
    return {"answers": [answer]}


def _plain_text(row: Row) -> Record:
    return {"answers": [{"text": row[TEXT.name], "score": None, "model": None, "label": None}]}


def _ranking(row: Row) -> Record:
    texts = row.get(COMPLETIONS.name) or []
    scores = row.get(RANKING_SCORES.name) or [None] * len(texts)
    models = row.get(MODELS.name) or [None] * len(texts)
    answers = [
        {"text": text, "score": _plain(score), "model": model, "label": None}
        for text, score, model in zip(texts, scores, models, strict=True)
    ]
    return {"answers": answers + _negatives(row)}


def _negatives(row: Row) -> list[Record]:
    """A rejected answer without a chosen one, and the samples to set against it."""
    answers = []
    if REJECTED_TURN.name in row:
        score, model = _plain(row.get(SCORE_REJECTED.name)), row.get(REJECTED_MODEL.name)
        text = _text(row[REJECTED_TURN.name])
        answers = [
            {"name": "Rejected", "text": text, "score": score, "model": model, "label": False}
        ]
    samples = row.get(SELF_COMPLETIONS.name) or []
    return answers + [
        {"name": f"Sample {n}", "text": _text(one), "score": None, "model": None, "label": None}
        for n, one in enumerate(samples, 1)
    ]


_ANSWERS = {"pair": _pair, "answer": _answer, "ranking": _ranking, "text": _plain_text}


def _text(turns: Any) -> str:
    """The text of an answer: of its last turn."""
    text: str = turns[-1]["content"] if turns else ""
    return text


def _score(answer: Record) -> Any:
    return answer["score"]


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
