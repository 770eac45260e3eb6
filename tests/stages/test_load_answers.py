"""Answers in the layouts in which they are published, and plain texts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.batch import Batch, Row
from schemas.errors import InputError
from stages import export_unpaired
from stages.load_answers import STAGE, Config, feed
from tests.stages.records import Json, as_pairs, load, turns

ASK, SAY = ("user", "Why?"), ("assistant", "Because.")


def read(*records: Any, **settings: Any) -> Batch:
    config = Config(path="a.jsonl", **{"on_bad_record": "reject", **settings})
    return load(STAGE, config, *records)


def answer(record: Json, **settings: Any) -> Row:
    batch = read(record, **settings)
    assert batch.rejects == ()
    return batch.rows[0]


@pytest.mark.parametrize(
    "record",
    [
        {"messages": turns(ASK, SAY)},
        {
            "conversations": [
                {"from": "human", "value": "Why?"},
                {"from": "gpt", "value": "Because."},
            ]
        },
        {"prompt": "Why?", "completion": "Because."},
        {"prompt": turns(ASK), "completion": turns(SAY)},
        {"instruction": "Why?", "input": "", "output": "Because."},
        {"question": "Why?", "answer": "Because."},
        {"prompt": "Why?", "response": "Because.", "prompt_id": "1f"},
    ],
)
def test_one_answer_in_seven_layouts(record: Json) -> None:
    row = answer(record)
    assert (as_pairs(row), row["answer"]) == ([ASK], "Because.")


def test_an_answer_is_a_row_without_marks() -> None:
    row = answer({"instruction": "Add.", "input": "1 and 2", "output": "3"})
    assert row == {
        "row_id": "1",
        "messages": [{"role": "user", "content": "Add.\n\n1 and 2"}],
        "answer": "3",
        "source": "given",
        "lineage": [],
    }
    assert answer({"prompt": "a", "output": "b"}, label="hand")["source"] == "hand"


def test_only_the_last_turn_is_the_answer() -> None:
    talk = turns(("system", "Be kind."), ASK, SAY, ("user", "Really?"), ("assistant", "Yes."))
    row = answer({"messages": talk})
    assert as_pairs(row) == [("system", "Be kind."), ASK, SAY, ("user", "Really?")]
    assert row["answer"] == "Yes."


def test_system_prompts_are_added_to_records_without() -> None:
    row = answer({"prompt": "a", "output": "b"}, system="Be brief.")
    assert as_pairs(row) == [("system", "Be brief."), ("user", "a")]


def test_marked_answers_have_all_that_their_export_reads() -> None:
    record = {"prompt": "a", "completion": "b", "label": False}
    config = Config(path="a.jsonl", desirable="label")
    written = {column.name: column for column in STAGE.fit(config).writes}
    assert all(written.get(column.name) == column for column in export_unpaired.STAGE.reads)
    row = answer(record, desirable="label")
    assert (row["label"], row["score"], row["labeller"], row["model"]) == (
        False,
        None,
        "given",
        "given",
    )
    assert len(row["response_id"]) == 32
    assert 0 <= row["order"] < 2**62


def test_a_plain_text_has_no_prompt() -> None:
    row = answer({"text": "Once upon a time.", "prompt": "not this"}, text="text")
    assert row == {"row_id": "1", "answer": "Once upon a time.", "source": "given", "lineage": []}


@pytest.mark.parametrize(
    ("record", "settings", "code", "message"),
    [
        ({"messages": turns(ASK)}, {}, "no_answer", "ends on a turn of `user`"),
        ({"messages": []}, {}, "no_answer", "before its first turn"),
        ({"messages": turns(SAY)}, {}, "bad_roles", "no user turn"),
        ({"messages": "x"}, {}, "bad_record", "holds a str, no list of turns"),
        ({"prompt": "a"}, {}, "bad_record", "none of the fields completion, response"),
        ({"text": "a"}, {}, "bad_record", "say which ones with `prompt` and `answer`"),
        ({"prompt": "a", "output": 3}, {}, "bad_record", "field `output` holds a int, no text"),
        ({"prompt": "a", "output": " "}, {}, "empty_text", "the answer is empty"),
        ({"prompt": " ", "output": "b"}, {}, "empty_prompt", "turn 1 (user) is empty"),
        ({"prompt": turns(ASK, SAY), "output": "b"}, {}, "ends_on_assistant", "on a user turn"),
        ({"prompt": "a", "output": turns(ASK, SAY)}, {}, "bad_record", "2 turns, not one"),
        ({"prompt": "a", "output": turns(ASK)}, {}, "no_answer", "of `user`, not of"),
        ({"prompt": "a", "output": "b", "l": 1}, {"desirable": "l"}, "bad_field", "neither true"),
        ({"prompt": "a", "output": "b"}, {"desirable": "l"}, "bad_record", "nothing in field `l`"),
        ({"t": " "}, {"text": "t"}, "empty_text", "empty"),
        ({"t": ["a"]}, {"text": "t"}, "bad_record", "holds a list, no text"),
    ],
)
def test_bad_records(record: Json, settings: Json, code: str, message: str) -> None:
    batch = read(record, **settings)
    (reject,) = batch.rejects
    assert (len(batch), reject.code, reject.raw) == (0, code, json.dumps(record))
    assert reject.message.startswith("a.jsonl:1: ")
    assert message in reject.message


def test_a_bad_record_ends_the_run_unless_told_otherwise() -> None:
    with pytest.raises(InputError, match="1 of the 1 records read with it give no answer"):
        read({"prompt": "a"}, on_bad_record="fail")


def test_fields_are_kept_as_columns() -> None:
    settings = {"keep": {"n": "number"}, "embedding": "v"}
    row = answer({"text": "a", "n": 2, "v": [1, 2]}, text="text", **settings)
    assert (row["n"], row["embedding"]) == (2.0, [1.0, 2.0])
    config = Config.model_validate({"path": "a", "text": "text", **settings})
    names = [column.name for column in STAGE.fit(config).writes]
    assert names == ["answer", "source", "lineage", "n", "embedding"]


@pytest.mark.parametrize(
    "settings",
    [
        {"prompt": "a"},
        {"answer": "a"},
        {"messages": "m", "text": "t"},
        {"prompt": "p", "answer": "a", "messages": "m"},
        {"text": "t", "desirable": "d"},
    ],
)
def test_settings_that_do_not_go_together(settings: Json) -> None:
    with pytest.raises(ValidationError):
        Config(path="a", **settings)


def test_only_named_fields_are_read_once_one_is_named() -> None:
    assert feed(Config(path="a")).fields == ()
    assert feed(Config(path="a", desirable="label")).fields == ()
    named = {"path": "a", "prompt": "p", "answer": "q", "desirable": "l", "keep": {"p": "text"}}
    assert feed(Config.model_validate(named)).fields == ("p", "q", "l")
