import json
import math

import pytest

from pipeline.browse.assets import browser_css, browser_js, island
from pipeline.browse.records import is_browsable, kind_of, record_of
from tests.pipeline.browse.made import (
    HOSTILE,
    answer_row,
    assistant,
    pair_row,
    ranking_row,
    text_row,
    user,
)


def test_a_pair() -> None:
    record = record_of(pair_row(2, label_smoothing=0.25), "dpo", "train")
    assert (record["id"], record["config"], record["split"]) == (f"{2:032x}", "dpo", "train")
    assert record["kind"] == "pair"
    assert record["prompt"] == user("Question 2: how does a mill work?")
    assert record["chosen"].startswith("The mill grinds corn 2")
    assert record["rejected"].startswith("The mill grinds wheat 2")
    assert (record["score"], record["score_rejected"], record["margin"]) == (3.0, 1.0, 2.0)
    assert record["extra"] == {"label_smoothing": 0.25}


def test_the_prompt_of_whole_conversations_is_what_comes_before_the_answer() -> None:
    turns = [*user("Why?"), *assistant("Why what?"), *user("That."), *assistant("Because.")]
    row = {"row_id": "1", "chosen": turns, "rejected": [*turns[:3], *assistant("No.")]}
    record = record_of(row, "sppo", "train")
    assert record["prompt"] == turns[:3]
    assert (record["chosen"], record["rejected"]) == ("Because.", "No.")
    assert record["margin"] is None


def test_answers_rankings_and_texts() -> None:
    answer = record_of(answer_row(1), "kto", "test")
    assert answer["kind"] == "answer"
    assert answer["answers"] == [
        {"text": "Answer 1.", "score": 1.0, "model": "policy:small", "label": False}
    ]
    ranking = record_of(ranking_row(1), "ranking", "train")
    assert ranking["kind"] == "ranking"
    assert [one["text"] for one in ranking["answers"]] == ["best", "middle", "worst"]
    assert ranking["score"] == 3.0
    text = record_of(text_row(4), "sft", "train")
    assert (text["kind"], text["prompt"], text["score"]) == ("text", [], None)
    assert text["answers"][0]["text"] == "A text 4."


def test_a_rejected_answer_and_the_samples_against_it() -> None:
    row = {
        "row_id": "1",
        "prompt": user("Why?"),
        "rejected": assistant("Bad."),
        "self_samples": [assistant("One."), assistant("Two.")],
        "score_rejected": 0.5,
        "rejected_model": "m",
    }
    answers = record_of(row, "negatives", "train")["answers"]
    assert [(one["name"], one["text"]) for one in answers] == [
        ("Rejected", "Bad."),
        ("Sample 1", "One."),
        ("Sample 2", "Two."),
    ]


def test_signatures_hold_nothing_to_see() -> None:
    assert not is_browsable(["row_id", "fingerprint", "signature", "shingles", "scheme"])
    assert is_browsable(["row_id", "text"])
    assert kind_of(["row_id", "prompt", "completion"]) == "answer"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_json_has_not_is_null(value: float) -> None:
    record = record_of(pair_row(1, margin=value, score_chosen=value), "dpo", "train")
    assert (record["margin"], record["score"]) == (None, None)
    json.dumps(record, allow_nan=False)


def test_an_island_holds_any_text_and_cannot_be_left() -> None:
    texts = [HOSTILE, "</script><!-- <script>", "\u2028\u2029", "half \ud800", "]]>"]
    written = island(texts)
    assert not set(written) & set("<>&\u2028\u2029")
    written.encode()
    assert json.loads(written) == texts


def test_the_script_may_stand_in_a_page() -> None:
    assert "</script" not in browser_js()
    assert "innerHTML" not in browser_js()
    assert "</style" not in browser_css()


def test_the_colours_are_those_of_an_audit() -> None:
    from pipeline.audit.page_style import STYLE

    for name in ("ink", "soft", "paper", "card", "line", "fill", "against", "track"):
        for style in (STYLE, browser_css()):
            assert style.count(f"--{name}: ") == 2  # light and dark
        light, dark = (part.split(";")[0] for part in STYLE.split(f"--{name}: ")[1:])
        assert f"--{name}: {light};" in browser_css()
        assert f"--{name}: {dark};" in browser_css()
