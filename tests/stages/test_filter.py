from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.batch import Batch
from schemas.errors import RecipeError
from stages.filter import STAGE, Config
from tests.support import FakeContext

MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))


def run(rows: list[dict[str, Any]], types: dict[str, Any] | None = None, **settings: Any) -> Batch:
    """Filter rows of `answer` and further columns; row_ids are given by place."""
    config = Config(**{"text": ("answer",), **settings})
    known = {"answer": pa.string(), "finish_reason": pa.string(), **(types or {})}
    names = [column.name for column in (*STAGE.fit(config).reads, *STAGE.fit(config).optional)]
    columns = {name: pa.array([row.get(name) for row in rows], known.get(name)) for name in names}
    ids = pa.array([f"{place}" for place in range(len(rows))], pa.string())
    assert STAGE.run is not None
    return STAGE.run(Batch(pa.table({"row_id": ids, **columns})), config, FakeContext())


def only(batch: Batch) -> tuple[str, str]:
    """Code and message of the one reject there is."""
    (reject,) = batch.rejects
    return reject.code, reject.message


LOOP = "we go on and on " * 20


@pytest.mark.parametrize(
    ("bad", "rules", "code", "message"),
    [
        (" ab \n", {"min_chars": 3}, "too_short", "`answer`: 2 characters, fewer than 3"),
        ("x" * 50, {"max_chars": 49}, "too_long", "`answer`: 50 characters, more than 49"),
        ("a b", {"min_words": 3}, "too_few_words", "`answer`: 2 words, fewer than 3"),
        ("a " * 10, {"max_words": 9}, "too_many_words", "`answer`: 10 words, more than 9"),
        (
            "See http://a.b/c and www.d.e",
            {"max_urls": 1},
            "too_many_urls",
            "`answer`: 2 URLs, more than 1",
        ),
        (
            "at https://a.b/c",
            {"max_url_share": 0.5},
            "too_much_url",
            "`answer`: URLs take 0.81 of the characters, more than 0.5",
        ),
        (
            "  I’m sorry, but I CAN’T say.",
            {"refusals": True},
            "refusal",
            "`answer`: opens with `i'm sorry, but i can't`",
        ),
        (
            "Call +49 30 901820",
            {"personal": ("email", "phone")},
            "personal_data",
            "`answer`: a telephone number: `+49 …`, 13 characters",
        ),
        (
            "-----BEGIN RSA PRIVATE" + " KEY-----",
            {"secrets": True},
            "secret",
            "`answer`: Private Key: `BEGI…`, 21 characters",
        ),
        (
            LOOP,
            {"repetition": True},
            "repetitive",
            "`answer`: characters in the most frequent 2-gram: 0.45, more than 0.20",
        ),
        (
            "1 2 3 4 5 6 7 8 9 0 " * 5,
            {"prose": True},
            "not_prose",
            "`answer`: mean length of a word: 1.00, less than 3.0",
        ),
        (
            "Das Haus steht am Ende der Straße und hat ein rotes Dach.",
            {"languages": ("en", "fr")},
            "other_language",
            "`answer`: P(en, fr) is 0.00, less than 0.5; likeliest is de, 1.00",
        ),
    ],
)
def test_each_rule_drops_what_breaks_it_and_says_why(
    bad: str, rules: dict[str, Any], code: str, message: str
) -> None:
    good = "The house stands at the end of this street."
    batch = run([{"answer": good}, {"answer": bad}, {"answer": good}], **rules)
    assert [row["row_id"] for row in batch.rows] == ["0", "2"]
    (reject,) = batch.rejects
    assert (reject.row_id, reject.code, reject.message) == ("1", code, message)
    assert reject.raw == bad


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("margin >= 0.2", "`margin >= 0.2` is false: margin = 0.1"),
        (
            "len(answer) < 2 * size and margin > 1",
            "`len(answer) < 2 * size` is false: len(answer) = 5, 2 * size = 4",
        ),
        ("margin < 1 and size in [3]", "`size in [3]` is false: size = 2"),
        ("nothing > 1 and margin < 1", "`nothing > 1` is unknown: nothing = null"),
        ("nothing > 1 and margin > 1", "`margin > 1` is false: margin = 0.1"),
        ("not contains(answer, 'b')", "`not contains(answer, 'b')` is false: answer = \"abcde\""),
        ("margin > 1 or size > 2", "`margin > 1 or size > 2` is false: margin = 0.1, size = 2"),
        ("1 > 2", "`1 > 2` is false"),
    ],
)
def test_a_condition_names_the_part_that_fails_with_its_values(where: str, message: str) -> None:
    row = {"answer": "abcde", "margin": 0.1, "size": 2}
    assert only(run([row], where=where)) == ("where", message)


def test_what_a_condition_is_true_of_stays() -> None:
    rows = [{"answer": "a", "margin": 0.3}, {"answer": "b", "margin": 0.1}]
    batch = run(rows, where="margin > 0.2")
    assert batch.rows == [{"row_id": "0"}]
    assert [reject.raw for reject in batch.rejects] == ["b"]


def test_long_values_are_cut() -> None:
    _, message = only(run([{"answer": "x" * 500}], where="answer == 'y'"))
    assert len(message) < 120 and message.endswith("…")


def test_prompts_and_conversations_are_named_like_texts() -> None:
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "One"},
        {"role": "assistant", "content": "Two"},
        {"role": "user", "content": "Three four"},
    ]
    rows = [{"messages": turns, "answer": "x"}]
    for where in (
        "words(prompt) == 2",
        "len(conversation) == len('Be brief. One Two Three four')",
        "system == 'Be brief.' and len(messages) == 4",
    ):
        assert len(run(rows, {"messages": MESSAGES}, where=where)) == 1
    assert only(run(rows, {"messages": MESSAGES}, text=("answer", "prompt"), min_chars=2)) == (
        "too_short",
        "`answer`: 1 characters, fewer than 2",
    )


def test_a_row_is_turned_away_once_for_the_first_text_that_fails() -> None:
    rows = [{"chosen": "a", "rejected": "b"}, {"chosen": "long enough", "rejected": "b"}]
    batch = run(rows, text=("chosen", "rejected"), min_chars=3)
    assert len(batch) == 0
    assert [(r.row_id, r.message[:10], r.raw) for r in batch.rejects] == [
        ("0", "`chosen`: ", "a"),
        ("1", "`rejected`", "b"),
    ]


def test_how_an_answer_ended_counts_where_it_is_known() -> None:
    ends = ["stop", "length", None]
    rows = [{"answer": "a", "finish_reason": end} for end in ends]
    batch = run(rows, finish_reasons=("stop",))
    assert [row["row_id"] for row in batch.rows] == ["0", "2"]
    assert only(batch) == ("finish_reason", "finish_reason is `length`, allowed: stop")


def test_a_text_that_is_missing_is_a_reject() -> None:
    assert only(run([{"answer": None}], min_chars=1)) == ("no_text", "`answer`: is null")


def test_no_rows_one_row_and_equal_rows() -> None:
    assert len(run([], min_chars=3, where="len(answer) > 3")) == 0
    assert len(run([{"answer": ""}] * 3, max_chars=3, repetition=True, prose=True)) == 3
    assert {r.code for r in run([{"answer": ""}] * 3, min_words=1).rejects} == {"too_few_words"}


def test_a_row_of_ten_megabytes() -> None:
    text = "The house stands at the end of the street. " * 240_000
    batch = run(
        [{"answer": text}],
        where="words(answer) > 1000",
        secrets=True,
        personal=("email", "ip", "card"),
        languages=("en",),
        prose=True,
        repetition=True,
    )
    assert only(batch)[0] == "repetitive"


TEXT = st.text("ab1 .\n@é公#", max_size=12)
EVERY_RULE: dict[str, Any] = {
    **{"where": "len(answer) != 3", "min_chars": 1, "max_chars": 9, "min_words": 1, "max_words": 4},
    **{"languages": ("en", "zh", "de"), "min_language_probability": 0.1, "max_urls": 0},
    **{"repetition": True, "prose": True, "measured_from_words": 2, "refusals": True},
    **{"personal": ("email", "ip"), "secrets": True, "max_url_share": 0.1},
}


@settings(max_examples=25)
@given(st.lists(TEXT, max_size=6))
def test_a_row_is_judged_by_itself(texts: list[str]) -> None:
    together = run([{"answer": text} for text in texts], **EVERY_RULE)
    said = {reject.row_id: (reject.code, reject.message) for reject in together.rejects}
    assert len(said) == len(together.rejects) == len(texts) - len(together)
    for place, text in enumerate(texts):
        alone = run([{"answer": text}], **EVERY_RULE)
        assert said.get(f"{place}") == (only(alone) if alone.rejects else None)


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ({}, "no rule is set"),
        ({"refusals": False}, "no rule is set"),
        ({"min_chars": 5, "max_chars": 4}, "`min_chars` 5 is more than `max_chars` 4"),
        ({"min_words": 5, "max_words": 4}, "`min_words` 5 is more than `max_words` 4"),
        ({"languages": ("xx",)}, "no language `xx`; known: .*de"),
        ({"phone_regions": ("XX",), "min_chars": 1}, "no region `XX`; known: .*DE"),
        ({"max_url_share": 1.0}, "max_url_share"),
        ({"min_chars": 0}, "min_chars"),
        ({"text": (), "min_chars": 1}, "text"),
        ({"where": "margin"}, "must be a truth and is a number"),
        ({"where": "margin > 'a'"}, "must be a number and is a text"),
        ({"where": "margin = 2"}, "write `==`"),
        ({"where": "len(messages) > chosen"}, "must be a number and is a text"),
    ],
)
def test_settings_are_checked(rules: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        Config(**rules)


def test_a_column_of_a_type_that_does_not_fit_is_an_error_of_the_recipe() -> None:
    with pytest.raises(RecipeError, match=r"stages\.test\.where") as caught:
        run([{"answer": "a", "size": "big"}], where="size > 2")
    assert "what `>` works on must be a number and is a text" in str(caught.value)


def test_it_reads_what_its_settings_name() -> None:
    config = Config(text=("chosen",), where="margin > 1 and words(prompt) > 2 and mine == 'x'")
    fitted = STAGE.fit(config)
    assert [column.name for column in fitted.reads] == ["chosen", "margin", "messages", "mine"]
    assert fitted.optional == ()


def test_workers_load_the_model_of_languages_only_where_they_are_asked_for() -> None:
    asked = STAGE.fit(Config(languages=("en",))).preload
    assert set(asked) - set(STAGE.fit(Config(min_words=3)).preload) == {"stages.kernels.langid"}
