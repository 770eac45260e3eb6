from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.runtime.contract import project
from schemas.arrow import arrow_schema
from schemas.batch import Batch
from schemas.columns import CHOSEN, MESSAGES, REJECTED, ROW_ID
from schemas.errors import InputError
from stages.decontaminate import STAGE, Config, run
from tests.support import FakeContext, given_table

QUESTION = (
    "A train leaves the station at nine and travels sixty miles an hour so how far has it come by "
    "noon if it waits half an hour on the way"
)  # 30 words
PAIRS = (CHOSEN, REJECTED)


def settings(**values: Any) -> Config:
    benchmark = {"name": "exam", "path": "exam.jsonl", "fields": ["question"]}
    return Config.model_validate_json(json.dumps({"benchmarks": [benchmark], **values}))


def outcome(
    texts: Sequence[str], items: Sequence[Any] = (QUESTION,), **values: Any
) -> dict[int, tuple[str, str]]:
    """Code and message of each row that was dropped, by its number."""
    batch = clean(texts, FakeContext(given={"exam": questions(*items)}), settings(**values))
    kept = {int(row["row_id"]) for row in batch.rows}
    dropped = {int(r.row_id): (r.code, r.message) for r in batch.rejects}
    assert kept.isdisjoint(dropped) and kept | set(dropped) == set(range(len(texts)))
    assert all(r.raw == texts[int(r.row_id)] for r in batch.rejects)
    return dropped


def clean(texts: Sequence[str], context: FakeContext, config: Config) -> Batch:
    rows = [
        {"row_id": str(i), "messages": [{"role": "user", "content": text}]}
        for i, text in enumerate(texts)
    ]
    table = pa.Table.from_pylist(rows, schema=arrow_schema((ROW_ID, MESSAGES)))
    return run(Batch(project(table, STAGE.fit(config))), config, context)


def questions(*items: Any) -> pa.Table:
    return given_table([{"question": item} for item in items])


def first_words(n: int) -> str:
    return " ".join(QUESTION.split()[:n])


def test_thirteen_words_in_a_row_are_too_many_and_twelve_are_not() -> None:
    texts = [f"Tell me: {first_words(n)}, or so." for n in (12, 13)]
    code, message = outcome(texts, item_share=None)[1]
    assert list(outcome(texts, item_share=None)) == [1]
    assert code == "long_match"
    assert message == (
        "13 words in a row stand in `exam` (a.jsonl:1, `question`) too; `long_match` is 13: "
        f"«{first_words(13)}»"
    )


def test_case_accents_punctuation_and_spacing_do_not_count() -> None:
    loud = re.sub(" ", " -- ", QUESTION.upper()).replace("E", "É")
    assert outcome([loud])[0][0] == "long_match"


def test_half_of_an_items_words_in_eight_grams_are_too_many() -> None:
    # Two stretches of eight words: 16 of 30.
    words = QUESTION.rstrip("?").split()
    pieces = [" ".join(words[a : a + 8]) for a in (0, 10, 20)]
    texts = [pieces[0], f"{pieces[0]} oh {pieces[2]}", f"{pieces[0]} {pieces[0]}"]
    dropped = outcome(texts, long_match=None)
    assert list(dropped) == [1]
    assert dropped[1][0] == "item_share"
    assert "16 of the 30 words" in dropped[1][1] and "`item_share` is 0.5" in dropped[1][1]
    assert outcome(texts, long_match=None, item_share=0.54) == {}
    assert list(outcome(texts, long_match=None, item_share=8 / 30)) == [0, 1, 2]


def test_a_share_of_the_rows_words_may_come_from_several_items() -> None:
    items = ["one two three four five", "six seven eight nine ten", "and many more of them"]
    text = "one two three four said six seven eight nine"  # 8 of 9 words
    limits = {"ngram": 4, "long_match": None, "item_share": None}
    assert outcome([text], items, row_share=8 / 9, **limits)[0][0] == "row_share"
    assert "8 of its 9 words" in outcome([text], items, row_share=0.5, **limits)[0][1]
    assert outcome([text], items, row_share=0.9, **limits) == {}


def test_jaccard_is_of_different_ngrams() -> None:
    # Bigrams ab bc cd and ab bc ce: 2 in common, of 4; said twice they do not count twice.
    limits = {"ngram": 2, "long_match": None, "item_share": None}
    texts = ["a b c e", "a b a b c e"]  # the second has ba as well
    dropped = outcome(texts, ["a b c d"], jaccard=0.4, **limits)
    assert [code for code, _ in dropped.values()] == ["jaccard", "jaccard"]
    assert "2 of the 4 n-grams" in dropped[0][1] and "2 of the 5 n-grams" in dropped[1][1]
    assert list(outcome(texts, ["a b c d"], jaccard=0.5, **limits)) == [0]


TEXTS = st.lists(st.lists(st.sampled_from("abc"), max_size=8).map(" ".join), max_size=5)
RULES = {
    "long_match": lambda found: found["longest"],
    "item_share": lambda found: found["item_share"],
    "row_share": lambda found: found["row_share"],
    "jaccard": lambda found: found["jaccard"],
}


@given(TEXTS, TEXTS.filter(lambda items: any(items)), st.sampled_from(sorted(RULES)))
def test_rules_hold_for_what_comparing_all_words_finds(
    texts: list[str], items: list[str], rule: str
) -> None:
    off = {"long_match": None, "item_share": None, "ngram": 2, "short_item_words": 3}
    limit = 3 if rule == "long_match" else 0.5
    n = 3 if rule == "long_match" else 2
    expected = {}
    for number, text in enumerate(texts):
        found = [measured(text.split(), item.split(), items, n) for item in items if item]
        if any(one["shares"] and RULES[rule](one) >= limit for one in found):
            expected[number] = rule
        elif any(one["is_short"] for one in found):
            expected[number] = "short_item"
    dropped = outcome(texts, items, **{**off, rule: limit})
    assert {number: code for number, (code, _) in dropped.items()} == expected


def measured(text: list[str], item: list[str], items: list[str], n: int) -> dict[str, Any]:
    """All rules' values by comparing every stretch of the text with every one of the item."""

    def common(other: list[str]) -> list[tuple[int, int, int]]:
        least = min(n, len(other))
        return [
            (i, j, length)
            for i in range(len(text))
            for j in range(len(other))
            for length in range(least, len(text) + 1)
            if text[i : i + length] == other[j : j + length] and len(other) >= j + length
            if i + length <= len(text)
            if len(other) >= min(3, n) or len(other) == len(text)
        ]

    own = {tuple(text[i : i + n]) for i in range(len(text) - n + 1)}
    theirs = {tuple(item[i : i + n]) for i in range(len(item) - n + 1)}
    runs = common(item)
    covered = {j + x for _, j, length in runs for x in range(length)}
    everything = [run for other in items if other for run in common(other.split())]
    own_covered = {i + x for i, _, length in everything for x in range(length)}
    return {
        "shares": bool(runs),
        "longest": max((length for _, _, length in runs), default=0),
        "item_share": len(covered) / len(item) * (len(item) >= n),
        "row_share": len(own_covered) / max(len(text), 1),
        "jaccard": len(own & theirs) / max(len(own | theirs), 1),
        "is_short": bool(runs) and len(item) < n,
    }


@pytest.mark.parametrize(
    ("text", "dropped"),
    [
        ("So: who wrote the blue book? Nobody knows.", True),
        ("Who wrote the book that is blue?", False),
        ("Why?", True),
        ("But why?", False),
    ],
)
def test_a_short_item_counts_whole_and_a_tiny_one_alone(text: str, dropped: bool) -> None:
    found = outcome([text], ["Who wrote the blue book?", "Why?"])
    assert [code for code, _ in found.values()] == ["short_item"] * dropped


def test_the_worst_item_is_named_whatever_the_order_of_rules() -> None:
    items = [first_words(14), QUESTION, QUESTION]
    code, message = outcome([QUESTION], items)[0]
    assert (code, "a.jsonl:2" in message) == ("long_match", True)


def test_a_long_span_is_shown_by_its_beginning() -> None:
    item = " ".join(f"word{i}" for i in range(200))
    message = outcome([item], [item])[0][1]
    assert message.endswith(" …»")
    assert len(message) < 450


def test_pairs_and_several_benchmarks_are_searched() -> None:
    names = ("one", "two")
    benchmarks = [{"name": name, "path": "x", "fields": ["q", "a.text"]} for name in names]
    config = settings(benchmarks=benchmarks, text=["chosen", "rejected"])
    stage = STAGE.fit(config)
    assert stage.reads == PAIRS
    given = {
        "one": given_table([{"q": "Nothing of interest.", "a": {"text": ["No.", "Never."]}}]),
        "two": given_table([{"q": None, "a": {"text": ["Something else.", QUESTION]}}]),
    }
    rows = [
        {"row_id": "0", "chosen": "Fine.", "rejected": QUESTION},
        {"row_id": "1", "chosen": "Fine.", "rejected": "Bad."},
    ]
    table = pa.Table.from_pylist(rows, schema=arrow_schema((ROW_ID, *PAIRS)))
    batch = run(Batch(table), config, FakeContext(given=given))
    assert [r.row_id for r in batch.rejects] == ["0"]
    assert "`two` (a.jsonl:1, `a.text`)" in batch.rejects[0].message
    assert {name: records.path for name, records in stage.given(config).items()} == {
        "one": "x",
        "two": "x",
    }


def test_turns_of_a_conversation_are_items() -> None:
    benchmark = {"name": "exam", "path": "x", "fields": ["turns.content"]}
    turns = [{"content": "Hello."}, {"content": None}, {"content": QUESTION}]
    context = FakeContext(given={"exam": given_table([{"turns": turns}])})
    batch = clean(["hello", QUESTION, "good bye"], context, settings(benchmarks=[benchmark]))
    assert [(r.row_id, r.code) for r in batch.rejects] == [("0", "short_item"), ("1", "long_match")]
    twisted = FakeContext(given={"exam": given_table([{"turns": [{"contents": "x"}]}])})
    with pytest.raises(InputError, match=r"a\.jsonl:1: no field `content`: .* mean `contents`"):
        clean(["x"], twisted, settings(benchmarks=[benchmark]))


def test_the_benchmarks_are_read_once() -> None:
    class Counting(FakeContext):
        asked = 0

        def once(self, name: str, make: Any) -> Any:
            self.asked += name not in self._made
            if name not in self._made:
                self._made[name] = make()
            return self._made[name]

        def given(self, name: str) -> pa.Table:
            assert self.asked == 1
            return super().given(name)

    context = Counting(given={"exam": questions(QUESTION)})
    for _ in range(3):
        clean(["a row"], context, settings())
    assert context.asked == 1


@pytest.mark.parametrize(
    ("records", "says"),
    [
        ([{"questoin": "x"}], r"a\.jsonl:1: no field `question`: .*`questoin`; did you mean"),
        ([{"question": [{"q": "x"}]}], "field `question` holds dict"),
        ([{"question": 3}], r"a\.jsonl:1: field `question` holds int; allowed are a text"),
        ([{"question": ["a", {}]}], "holds dict, str"),
        ([{"question": None}, {"question": " ?"}], "benchmark `exam`: no text in `question` of"),
        ([], "no text in `question`"),
    ],
)
def test_a_benchmark_of_no_use_is_refused(records: list[Any], says: str) -> None:
    context = FakeContext(given={"exam": given_table(records)})
    with pytest.raises(InputError, match=says):
        clean(["a row"], context, settings())


def test_a_record_that_cannot_be_read_is_refused_with_its_place() -> None:
    table = given_table([{"question": QUESTION}])
    problem = pa.array(["bad_record: no JSON"])
    table = table.set_column(2, table.schema.field(2), problem)
    with pytest.raises(InputError, match=r"a\.jsonl:1: bad_record: no JSON.*benchmark `exam`"):
        clean(["a row"], FakeContext(given={"exam": table}), settings())


def test_rows_of_all_sizes_and_odd_characters_pass_through() -> None:
    long = "word " * 2_000_000
    texts = ["", "\n", "?", long + QUESTION, "\u0000\ufffd", QUESTION]
    assert sorted(outcome(texts, [QUESTION, "broken \ud800 surrogate in here"])) == [3, 5]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"item_share": 0}, "greater than 0"),
        ({"item_share": 1.5}, "less than or equal to 1"),
        ({"jaccard": 0}, "greater than 0"),
        ({"row_share": 2}, "less than or equal to 1"),
        ({"ngram": 0}, "greater than or equal to 1"),
        ({"benchmarks": []}, "at least 1 item"),
        ({"long_match": 4}, "shorter than an n-gram of 8 words"),
        ({"long_match": None, "item_share": None}, "all rules are off"),
    ],
)
def test_settings_that_make_no_sense_are_refused(values: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        settings(**values)


def test_two_benchmarks_of_one_name_are_refused() -> None:
    benchmark = {"name": "exam", "path": "a", "fields": ["q"]}
    with pytest.raises(ValidationError, match="two of the name `exam`"):
        settings(benchmarks=[benchmark, {**benchmark, "path": "b"}])
