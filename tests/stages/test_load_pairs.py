"""Pairs in the layouts in which they are published."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.batch import Batch, Row
from schemas.errors import InputError
from schemas.types import FLOAT
from stages.load_pairs import STAGE, Config, feed
from tests.stages.records import Json, as_pairs, load, turns

ASK, GOOD, BAD = ("user", "Why?"), ("assistant", "Because."), ("assistant", "No.")
PLAIN = {"prompt": "Why?", "chosen": "Because.", "rejected": "No."}


def read(*records: Any, **settings: Any) -> Batch:
    config = Config(path="a.jsonl", **{"on_bad_record": "reject", **settings})
    return load(STAGE, config, *records)


def pair(record: Json, **settings: Any) -> Row:
    batch = read(record, **settings)
    assert batch.rejects == ()
    return batch.rows[0]


def words(record: Json, **settings: Any) -> tuple[list[tuple[str, str]], str, str]:
    row = pair(record, **settings)
    return as_pairs(row), row["chosen"], row["rejected"]


def test_a_pair_has_all_that_later_stages_and_exports_read() -> None:
    row = pair(PLAIN)
    ids = row.pop("chosen_id"), row.pop("rejected_id")
    assert len({*ids}) == 2 and all(len(one) == 32 for one in ids)
    assert row == {
        "row_id": "1",
        "messages": [{"role": "user", "content": "Why?"}],
        "chosen": "Because.",
        "rejected": "No.",
        "chosen_model": "given",
        "rejected_model": "given",
        "score_chosen": None,
        "score_rejected": None,
        "margin": None,
        "p_chosen": None,
        "labeller": "given",
        "source": "given",
        "lineage": [],
    }
    assert pair(PLAIN, label="hand")["source"] == "hand"


WHOLE = {"chosen": turns(ASK, GOOD), "rejected": turns(ASK, BAD)}
SIDES = {"chosen": turns(GOOD), "rejected": turns(BAD)}
SHAREGPT = {
    "conversations": [{"from": "human", "value": "Why?"}],
    "chosen": {"from": "gpt", "value": "Because."},
    "rejected": {"from": "gpt", "value": "No."},
}
TRANSCRIPTS = {
    "chosen": "\n\nHuman: Why?\n\nAssistant: Because.",
    "rejected": "\n\nHuman: Why?\n\nAssistant: No.",
}


@pytest.mark.parametrize(
    "record",
    [
        PLAIN,
        {"instruction": "Why?", "input": "", "chosen": "Because.", "rejected": "No."},
        {"question": "Why?", "chosen": "Because.", "rejected": "No."},
        {"prompt": turns(ASK), **SIDES},
        {"prompt": "Why?", **SIDES},
        {"messages": turns(ASK), "chosen": turns(GOOD)[0], "rejected": turns(BAD)[0]},
        WHOLE,
        {"prompt": "Why?", "prompt_id": "1f", "messages": turns(ASK, GOOD), **WHOLE},
        SHAREGPT,
        TRANSCRIPTS,
    ],
)
def test_one_pair_in_ten_layouts(record: Json) -> None:
    assert words(record) == ([ASK], "Because.", "No.")


def test_the_turns_that_both_begin_with_are_the_prompt() -> None:
    before = [("system", "Be kind."), ASK, GOOD, ("user", "Really?")]
    record = {"chosen": turns(*before, GOOD), "rejected": turns(*before, BAD)}
    assert words(record) == (before, "Because.", "No.")
    transcripts = {
        "chosen": "\n\nHuman: a\nb \n\nAssistant: c\n\nHuman: d\n\nAssistant: e",
        "rejected": "\n\nHuman: a\nb \n\nAssistant: c\n\nHuman: d\n\nAssistant:  f ",
    }
    history = [("user", "a\nb"), ("assistant", "c"), ("user", "d")]
    assert words(transcripts) == (history, "e", "f")


@pytest.mark.parametrize(
    ("chosen", "rejected", "prompt", "answers"),
    [
        ("The sky is blue.", "The sky is green.", "The sky is", (" blue.", " green.")),
        ("The sky is blue.", "The sky is black.", "The sky is", (" blue.", " black.")),
        ("Yes or no? Yes", "Yes or no? No", "Yes or no?", (" Yes", " No")),
        ("a\n\nb", "a\n\nc", "a", ("\n\nb", "\n\nc")),
        ("The sky is", "The sky is green", "The sky", (" is", " is green")),
    ],
)
def test_an_implicit_prompt_ends_with_a_whole_word(
    chosen: str, rejected: str, prompt: str, answers: tuple[str, str]
) -> None:
    record = {"chosen": chosen, "rejected": rejected}
    assert words(record, implicit_prompt=True) == ([("user", prompt)], *answers)


@given(st.text("ab \n", max_size=12), st.text("ab \n", max_size=6), st.text("ab \n", max_size=6))
def test_an_implicit_prompt_loses_no_letter(common: str, first: str, second: str) -> None:
    chosen, rejected = common + first, common + second
    batch = read({"chosen": chosen, "rejected": rejected}, implicit_prompt=True)
    for row in batch.rows:
        prompt = row["messages"][0]["content"]
        assert (prompt + row["chosen"], prompt + row["rejected"]) == (chosen, rejected)
    assert len(batch) + len(batch.rejects) == 1


def test_texts_without_a_prompt_are_not_guessed_at() -> None:
    (reject,) = read({"chosen": "The sky is blue.", "rejected": "The sky is red."}).rejects
    assert reject.code == "bad_record"
    assert "set `implicit_prompt: true`" in reject.message


@pytest.mark.parametrize(
    ("chosen", "rejected"),
    [
        ("score_chosen", "score_rejected"),
        ("chosen_rating", "rejected_rating"),
        ("chosen_score", "rejected_score"),
    ],
)
def test_scores_come_along_under_their_usual_names(chosen: str, rejected: str) -> None:
    row = pair({**PLAIN, chosen: 8.5, rejected: 6})
    assert (row["score_chosen"], row["score_rejected"], row["margin"]) == (8.5, 6.0, 2.5)
    tie = pair({**PLAIN, chosen: 6, rejected: 6})
    assert tie["margin"] == 0
    unknown = pair({**PLAIN, chosen: None, rejected: None})
    assert (unknown["score_chosen"], unknown["margin"]) == (None, None)


def test_models_and_named_scores() -> None:
    record = {**PLAIN, "a": 2, "b": 1, "chosen_model": "big", "rejected_model": ""}
    row = pair(record, score_chosen="a", score_rejected="b")
    assert (row["margin"], row["chosen_model"], row["rejected_model"]) == (1, "big", "given")


@pytest.mark.parametrize(
    ("changed", "settings", "code", "message"),
    [
        ({"chosen": None}, {}, "bad_record", "nothing in field `chosen`"),
        ({"chosen": "Because.", "x": 1}, {"chosen": "chosn"}, "bad_record", "mean `chosen`?"),
        ({"chosen": 3}, {}, "bad_record", "field `chosen` holds a int, no list of turns"),
        ({"chosen": turns(GOOD)}, {}, "bad_record", "field `rejected` holds a str, no list"),
        ({"chosen": [], "rejected": []}, {}, "bad_record", "field `chosen` holds no turn"),
        ({"prompt": turns(ASK, GOOD)}, {}, "ends_on_assistant", "must end on a user turn"),
        ({"prompt": " "}, {}, "empty_prompt", "turn 1 (user) is empty"),
        ({"chosen": turns(ASK), "rejected": turns(BAD)}, {}, "bad_roles", "is of `user`"),
        ({"chosen": " \n"}, {}, "empty_text", "field `chosen` is empty"),
        ({"chosen": "No. "}, {}, "same_text", "are the same text"),
        ({"score_chosen": 1, "score_rejected": 2}, {}, "negative_margin", "1 is less than 2"),
        ({"score_chosen": 1, "score_rejected": None}, {}, "bad_field", "`score_rejected` holds"),
        ({"score_chosen": "8", "score_rejected": 2}, {}, "bad_field", "holds '8', which is no"),
        ({"score_chosen": True, "score_rejected": 0}, {}, "bad_field", "holds True"),
        ({"score_chosen": 10**400, "score_rejected": 0}, {}, "bad_field", "is no number"),
        ({"chosen": "a b", "rejected": "c d"}, {"implicit_prompt": True}, "no_prompt", "in common"),
    ],
)
def test_bad_records(changed: Json, settings: Json, code: str, message: str) -> None:
    record = {**PLAIN, **changed}
    batch = read(record, **settings)
    (reject,) = batch.rejects
    assert (len(batch), reject.code, reject.raw) == (0, code, json.dumps(record))
    assert reject.message.startswith("a.jsonl:1: ")
    assert message in reject.message


@pytest.mark.parametrize(
    ("chosen", "rejected", "code"),
    [
        (turns(ASK, GOOD, ASK, GOOD), turns(ASK, BAD, ASK, GOOD), "several_answers"),
        (turns(ASK, GOOD), turns(ASK, BAD, ASK, BAD), "several_answers"),
        (turns(GOOD), turns(ASK, BAD), "several_answers"),
        (turns(ASK, GOOD), turns(ASK, GOOD), "same_text"),
        (turns(GOOD, ASK), turns(GOOD, ASK), "bad_roles"),
        (turns(GOOD, GOOD), turns(GOOD, BAD), "bad_roles"),
        ("\n\nHuman: a\n\nAssistant: b\n\nHuman: c", "\n\nHuman: a\n\nAssistant: d", None),
        ("\n\nHuman: a\n\nAssistant:", "\n\nHuman: a\n\nAssistant: d", "empty_text"),
    ],
)
def test_conversations_that_make_no_pair(chosen: Any, rejected: Any, code: str | None) -> None:
    (reject,) = read({"chosen": chosen, "rejected": rejected}).rejects
    assert reject.code == (code or "several_answers")


def test_a_bad_record_ends_the_run_unless_told_otherwise() -> None:
    with pytest.raises(InputError, match=r"a.jsonl:2: no JSON \(bad_record\). 1 of the 2 records"):
        read(PLAIN, "{", on_bad_record="fail")
    assert len(read(PLAIN, "{")) == 1


def test_fields_are_kept_as_columns() -> None:
    keep = {"quality": "number", "topic": "text", "safe": "boolean"}
    config = Config.model_validate({"path": "a.jsonl", "keep": keep, "embedding": "vector"})
    stage = STAGE.fit(config)
    added = stage.writes[len(STAGE.writes) :]
    assert [column.name for column in added] == ["quality", "topic", "safe", "embedding"]
    assert [column.nullable for column in added] == [True, True, True, False]
    assert added[0].type == FLOAT
    record = {**PLAIN, "quality": 3, "topic": "skies", "safe": True, "vector": [1, 0.5]}
    empty = {**record, "quality": None, "topic": None, "safe": None}
    first, second = load(STAGE, config, record, empty).rows
    assert [first[name] for name in (*keep, "embedding")] == [3.0, "skies", True, [1.0, 0.5]]
    assert [second[name] for name in keep] == [None, None, None]


@pytest.mark.parametrize(
    ("kind", "value"),
    [("number", "3"), ("number", True), ("text", 3), ("boolean", 1), ("boolean", "yes")],
)
def test_a_kept_field_of_another_kind(kind: str, value: Any) -> None:
    (reject,) = read({**PLAIN, "x": value}, keep={"x": kind}).rejects
    assert reject.code == "bad_field"
    assert f"field `x` holds {value!r}, which is no {kind}" in reject.message
    (missing,) = read(PLAIN, keep={"promt": kind}).rejects
    assert "nothing in field `promt`" in missing.message and "mean `prompt`?" in missing.message


@pytest.mark.parametrize("vector", [None, [], ["1"], [None], "text", [float("nan")]])
def test_what_is_no_vector(vector: Any) -> None:
    (reject,) = read({**PLAIN, "v": vector}, embedding="v").rejects
    assert reject.code in ("bad_field", "bad_record")


@pytest.mark.parametrize("name", ["messages", "row_id", "margin", "embedding", ""])
def test_a_column_of_ours_is_not_overwritten(name: str) -> None:
    with pytest.raises(ValidationError, match="cannot be kept"):
        Config.model_validate({"path": "a", "keep": {name: "text"}})


def test_settings_that_do_not_go_together() -> None:
    with pytest.raises(ValidationError, match="go together"):
        Config(path="a", score_chosen="x")
    with pytest.raises(ValidationError, match="a pair has one prompt"):
        Config(path="a", prompt="p", implicit_prompt=True)


def test_only_named_fields_are_read_once_the_prompt_is_named() -> None:
    assert feed(Config(path="a")).fields == ()
    named = Config.model_validate({"path": "a", "prompt": "p", "keep": {"q": "number"}})
    assert feed(named).fields == ("p", "chosen", "rejected", "q")


def test_a_record_of_ten_megabytes() -> None:
    text = "word " * 2_000_000
    assert pair({**PLAIN, "chosen": text})["chosen"] == text
