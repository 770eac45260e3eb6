"""Layouts as they are published become the same pairs."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.audit.layouts import LAYOUTS, layout_of, read_pair, read_rated
from pipeline.audit.pairs import Pair


def turns(*texts: str) -> list[dict[str, str]]:
    roles = ("user", "assistant")
    return [{"role": roles[i % 2], "content": text} for i, text in enumerate(texts)]


HH = "\n\nHuman: Hi\n\nAssistant: Yes?\n\nHuman: Why?\n\nAssistant: "

RECORDS: dict[str, dict[str, Any]] = {
    "hh-rlhf": {"chosen": HH + "one", "rejected": HH + "two"},
    "ultrafeedback-binarized": {
        "prompt": "Why?",
        "chosen": turns("Why?", "one"),
        "rejected": turns("Why?", "two"),
        "score_chosen": 8.5,
        "score_rejected": 6.0,
    },
    "conversational": {
        "prompt": turns("Hi", "Yes?", "Why?"),
        "chosen": turns("", "one")[1:],
        "rejected": turns("", "two")[1:],
    },
    "plain": {"prompt": "Why?", "chosen": "one", "rejected": "two"},
    "helpsteer2-preference": {
        "prompt": "Why?",
        "response_1": "one",
        "response_2": "two",
        "preference_strength": -3,
    },
    "helpsteer3-preference": {
        "context": turns("Why?"),
        "response1": "one",
        "response2": "two",
        "overall_preference": -2,
    },
}
RATED = {"helpfulness": 4, "correctness": 4, "coherence": 4, "complexity": 1, "verbosity": 2}


@pytest.mark.parametrize("layout", RECORDS)
def test_a_record_is_recognised_and_read(layout: str) -> None:
    record = RECORDS[layout]
    assert layout_of(record) == layout
    read = read_pair(layout, record)
    assert isinstance(read, Pair)
    assert (read.prompt.strip(), read.first, read.second) == ("Why?", "one", "two")
    assert read.verdicts["label"] == 1
    assert read.is_shown_order == layout.startswith("helpsteer")


def test_every_layout_is_tested_here() -> None:
    assert set(LAYOUTS) == {*RECORDS, "helpsteer2-ratings"}


def test_a_conversation_without_a_prompt_holds_it() -> None:
    record = {"chosen": turns("Why?", "one"), "rejected": turns("Why?", "two")}
    assert layout_of(record) == "conversational"
    read = read_pair("conversational", record)
    assert isinstance(read, Pair)
    assert read.prompt == "Why?"


@pytest.mark.parametrize(("strength", "label"), [(-1, 1.0), (3, 0.0), (0, 0.5)])
def test_helpsteer_prefers_the_first_answer_below_zero(strength: int, label: float) -> None:
    record = {**RECORDS["helpsteer2-preference"], "preference_strength": strength}
    read = read_pair("helpsteer2-preference", record)
    assert isinstance(read, Pair)
    assert read.verdicts == {"label": label}


def test_ratings_are_a_labeller_each_and_helpfulness_is_the_label() -> None:
    first = {"prompt": "Why?", "response": "one", **RATED}
    second = {"prompt": "Why?", "response": "two", **RATED, "helpfulness": 2, "verbosity": 3}
    assert layout_of(first) == "helpsteer2-ratings"
    read = read_rated(first, second)
    assert isinstance(read, Pair)
    told = {name: read.verdicts[name] for name in ("label", "correctness", "verbosity")}
    assert told == {"label": 1.0, "correctness": 0.5, "verbosity": 0.0}


def test_scores_and_models_come_along() -> None:
    record = {
        **RECORDS["ultrafeedback-binarized"],
        "score_rejected": 8.5,
        "chosen_model": "a",
        "rejected_model": "b",
    }
    read = read_pair("ultrafeedback-binarized", record)
    assert isinstance(read, Pair)
    assert (read.verdicts, read.models) == ({"label": 1.0, "scores": 0.5}, ("a", "b"))


@pytest.mark.parametrize(
    ("layout", "changed", "reason"),
    [
        ("plain", {"chosen": None}, "no_answer"),
        ("plain", {"chosen": " \n"}, "empty_answer"),
        ("plain", {"rejected": " one "}, "same_text"),
        ("conversational", {"rejected": []}, "no_answer"),
        ("conversational", {"rejected": [{"role": "assistant"}]}, "no_answer"),
        ("hh-rlhf", {"rejected": "two"}, "no_answer"),
        ("hh-rlhf", {"rejected": "\n\nHuman: Who?\n\nAssistant: two"}, "prompts_differ"),
        ("helpsteer2-preference", {"preference_strength": None}, "no_preference"),
        ("helpsteer2-preference", {"preference_strength": float("nan")}, "no_preference"),
        ("helpsteer2-preference", {"preference_strength": True}, "no_preference"),
    ],
)
def test_a_record_that_says_nothing_has_a_reason(
    layout: str, changed: dict[str, Any], reason: str
) -> None:
    assert read_pair(layout, {**RECORDS[layout], **changed}) == reason


def test_a_models_name_cannot_write_to_the_terminal() -> None:
    record = {**RECORDS["plain"], "chosen_model": "a\x1b[2J", "rejected_model": "b\ud800"}
    read = read_pair("plain", record)
    assert isinstance(read, Pair)
    assert read.models == ("a\ufffd[2J", "b\ufffd")


_NAMES = sorted({name for record in RECORDS.values() for name in record} | {"response", *RATED})
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(("role", "content", "from", "value")), inner)
    ),
    max_leaves=6,
)


@given(st.sampled_from([*RECORDS, "rated"]), st.dictionaries(st.sampled_from(_NAMES), _VALUES))
def test_no_record_breaks_the_reading(kind: str, changed: dict[str, Any]) -> None:
    rated = {"prompt": "Why?", "response": "one", **RATED}
    record = {**(rated if kind == "rated" else RECORDS[kind]), **changed}
    layout = layout_of(record)
    assert layout in LAYOUTS
    read = (
        read_rated(rated, record) if layout == "helpsteer2-ratings" else read_pair(layout, record)
    )
    if isinstance(read, Pair):
        assert read.first.strip() and read.second.strip() != read.first.strip()
        assert set(read.verdicts.values()) <= {0.0, 0.5, 1.0}


def test_other_records_are_no_pairs() -> None:
    assert layout_of({"prompt": "Why?", "completion": "one", "label": True}) is None
    assert layout_of({"text": "chosen"}) is None
