from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.batch import Batch
from schemas.errors import InputError
from stages.load_prompts import STAGE, Config, feed
from tests.support import FakeContext


def load(*records: Any, problems: dict[int, str] | None = None, **settings: Any) -> Batch:
    config = Config(path="a.jsonl", **{"on_bad_record": "reject", **settings})
    rows = [
        {
            "row_id": f"{i}",
            "raw_record": record if isinstance(record, str) else json.dumps(record),
            "raw_place": f"a.jsonl:{i}",
            "raw_problem": (problems or {}).get(i),
        }
        for i, record in enumerate(records, 1)
    ]
    return STAGE.run(Batch(pa.Table.from_pylist(rows)), config, FakeContext(stage="seeds"))


def prompts(*records: Any, **settings: Any) -> list[list[tuple[str, str]]]:
    batch = load(*records, **settings)
    assert batch.rejects == ()
    return [[(m["role"], m["content"]) for m in row["messages"]] for row in batch.rows]


def turns(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    return [{"role": role, "content": content} for role, content in pairs]


ASK, SAY = ("user", "hi"), ("assistant", "hello")


def test_a_text_becomes_one_user_turn() -> None:
    batch = load({"prompt": "Why?"})
    assert batch.rows == [
        {
            "row_id": "1",
            "messages": [{"role": "user", "content": "Why?"}],
            "source": "seeds",
            "gold_answers": [],
            "constraints": [],
            "lineage": [],
        }
    ]
    assert load({"prompt": "Why?"}, label="faq").rows[0]["source"] == "faq"


def test_fields_are_found_by_their_usual_names() -> None:
    assert prompts(
        {"messages": turns(ASK), "prompt": "not this"},
        {"conversations": [{"from": "human", "value": "hi"}]},
        {"messages": None, "prompt": turns(ASK)},
        {"instruction": "hi", "output": "hello"},
        {"instruction": "Add.", "input": "1 and 2"},
        {"instruction": "hi", "input": ""},
        {"question": "hi"},
    ) == [[ASK], [ASK], [ASK], [ASK], [("user", "Add.\n\n1 and 2")], [ASK], [ASK]]


def test_share_gpt_and_system_turns() -> None:
    sharegpt = [
        {"from": "system", "value": "Be kind."},
        {"from": "human", "value": "a"},
        {"from": "gpt", "value": "b"},
        {"from": "human", "value": "c"},
    ]
    talk = [("system", "Be kind."), ("user", "a"), ("assistant", "b"), ("user", "c")]
    assert prompts({"x": sharegpt}, messages="x", system="Unused.") == [talk]
    asked = {"prompt": "hi", "s": "Own."}
    settings = {"prompt": "prompt", "system_field": "s", "system": "Common."}
    assert prompts(asked, {"prompt": "hi", "s": None}, **settings) == [
        [("system", "Own."), ASK],
        [("system", "Common."), ASK],
    ]


def test_what_follows_the_last_user_turn_can_be_cut() -> None:
    tools = turns(ASK, SAY, ("tool", "42"), ("assistant", "It is 42."), ASK, SAY)
    assert prompts({"messages": tools}, trim_answer=True) == [
        [ASK, SAY, ("tool", "42"), ("assistant", "It is 42."), ASK]
    ]


@pytest.mark.parametrize(
    ("record", "settings", "code", "message"),
    [
        ({"prompt": " \n"}, {}, "empty_prompt", "turn 1 (user) is empty"),
        ({"promt": "x"}, {"prompt": "prompt"}, "bad_record", "did you mean `promt`?"),
        ({"text": "x"}, {}, "bad_record", "the record has `text`: say which one"),
        ({"prompt": 3}, {}, "bad_record", "holds a int, no text or list of turns"),
        ({"prompt": [1]}, {"prompt": "prompt"}, "bad_record", "holds a list, no text"),
        ({"m": "x"}, {"messages": "m"}, "bad_record", "holds a str, no list of turns"),
        ({"messages": ["x"]}, {}, "bad_record", "turn 1 is neither {role, content}"),
        ({"messages": []}, {}, "bad_roles", "no user turn"),
        ({"instruction": [], "input": "x"}, {}, "bad_roles", "no user turn"),
        ({"messages": turns(("system", "s"))}, {}, "bad_roles", "no user turn"),
        ({"messages": turns(SAY)}, {}, "bad_roles", "turn 1 is of `assistant` where `system`"),
        ({"messages": turns(ASK, ASK)}, {}, "bad_roles", "turn 2 is of `user` where `assistant`"),
        ({"messages": turns(ASK, ("bot", "x"))}, {}, "bad_roles", "turn 2 is of `bot`"),
        ({"messages": turns(ASK, SAY)}, {}, "ends_on_assistant", "`trim_answer: true`"),
        ({"p": "x", "s": 1}, {"prompt": "p", "system_field": "s"}, "bad_record", "holds no text"),
    ],
)
def test_bad_records(record: Any, settings: Any, code: str, message: str) -> None:
    batch = load(record, **settings)
    (reject,) = batch.rejects
    assert len(batch) == 0
    assert (reject.row_id, reject.code, reject.raw) == ("1", code, json.dumps(record))
    assert reject.message.startswith("a.jsonl:1: ")
    assert message in reject.message


def test_gold_answers_come_along() -> None:
    records = [{"prompt": "a", "answer": given} for given in ("2 + 2 #### 4", 4, 0.5, ["4", 5])]
    found = [row["gold_answers"] for row in load(*records, answer="answer").rows]
    assert found == [["2 + 2 #### 4"], ["4"], ["0.5"], ["4", "5"]]


@pytest.mark.parametrize("given", [None, "", " ", [None], True, {"a": 1}, [["4"]], float("nan")])
def test_what_is_no_gold_answer(given: Any) -> None:
    (reject,) = load({"prompt": "a", "answer": given}, answer="answer").rejects
    assert reject.code == "bad_answer"
    assert "a.jsonl:1: field `answer` holds" in reject.message


def test_constraints_come_along_in_both_layouts() -> None:
    ours = {"prompt": "a", "c": [{"kind": "words", "most": 3}, {"kind": "json"}]}
    ids = ["length_constraints:number_words", "punctuation:no_comma"]
    arguments = [{"num_words": 3, "relation": "less than", "keyword": None}, None]
    theirs = {"prompt": "a", "c": ids, "kwargs": arguments}
    (first,) = load(ours, constraints="c").rows
    assert first["constraints"] == [
        {"kind": "words", "arguments": '{"most": 3}'},
        {"kind": "json", "arguments": "{}"},
    ]
    (second,) = load(theirs, constraints="c", constraint_arguments="kwargs").rows
    assert [entry["kind"] for entry in second["constraints"]] == ids
    assert json.loads(second["constraints"][0]["arguments"]) == arguments[0]


@pytest.mark.parametrize(
    ("record", "settings", "message"),
    [
        ({"c": "words"}, {}, "holds no list"),
        ({"c": ["words"]}, {}, "an object with `kind`"),
        ({"c": [{"kind": "wordz"}]}, {}, "constraint `wordz`"),
        ({"c": [{"kind": "words"}]}, {}, "neither `least` nor `most`"),
        ({"c": [{"kind": 3}]}, {}, "no constraint and its settings"),
        ({"c": ["json"], "k": []}, {"constraint_arguments": "k"}, "settings of the 1 constraints"),
        ({"c": ["a:b"], "k": [{}]}, {"constraint_arguments": "k"}, "`a:b` is not supported"),
    ],
)
def test_what_is_no_constraint(record: Any, settings: Any, message: str) -> None:
    (reject,) = load({"prompt": "a", **record}, constraints="c", **settings).rejects
    assert reject.code == "bad_constraints"
    assert message in reject.message


def test_what_the_reader_found_keeps_its_code() -> None:
    (reject,) = load("{", problems={1: "nul_character: field `p` holds: U+0000"}).rejects
    assert reject.code == "nul_character"
    assert reject.message == "a.jsonl:1: field `p` holds: U+0000"


def test_the_first_bad_record_ends_the_run_by_default() -> None:
    records = [{"prompt": "a"}, {"prompt": ""}, {"prompt": " "}]
    with pytest.raises(InputError, match=r"^a.jsonl:2: turn 1 \(user\) is empty .* 2 of the 3 "):
        load(*records, on_bad_record="fail")
    assert Config(path="a").on_bad_record == "fail"


def test_the_feed_reads_named_fields_alone() -> None:
    records = feed(Config(path="set", format="hf", prompt="p", system_field="s", config="en"))
    assert records.fields == ("p", "s")
    assert records.options == (("config", "en"), ("split", "train"))
    told = Config(path="a", prompt="p", answer="a", constraints="c", constraint_arguments="k")
    assert feed(told).fields == ("p", "a", "c", "k")
    assert feed(Config(path="a.jsonl", limit=3)).fields == ()
    assert feed(Config(path="a.jsonl", limit=3)).limit == 3


def test_one_field_gives_the_prompt() -> None:
    with pytest.raises(ValidationError, match="comes from one field"):
        Config(path="a", prompt="p", messages="m")
    with pytest.raises(ValidationError, match="without `constraints`"):
        Config(path="a", constraint_arguments="k")


@given(st.lists(st.tuples(st.sampled_from(["system", "user", "assistant", "tool"]), st.text())))
def test_every_prompt_ends_on_a_user_turn(talk: list[tuple[str, str]]) -> None:
    batch = load({"messages": turns(*talk)}, trim_answer=True)
    assert len(batch) + len(batch.rejects) == 1
    for row in batch.rows:
        assert row["messages"][-1]["role"] == "user"
        assert [(m["role"], m["content"]) for m in row["messages"]] == talk[: len(row["messages"])]
        assert "user" not in [role for role, _ in talk[len(row["messages"]) :]]
