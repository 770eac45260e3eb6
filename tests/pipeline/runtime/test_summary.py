"""The table at the end of a run."""

from dataclasses import replace
from pathlib import Path

from pipeline.runtime.reports import StepReport, Usage
from pipeline.runtime.summary import StepLine, Summary, align
from pipeline.runtime.tally import Tally
from tests.pipeline.runtime.seen import Clock, keyed, part

MAGPIE = StepReport(48, 40, 8, 0, {"fragment": 5, "repeated": 3}, Usage(60, 1200, 900, 9.0), 12.0)
PAIR = StepReport(40, 31, 9, 0, {"tie": 9}, Usage(), 0.25)


def summary(reused: bool) -> Summary:
    lines = (StepLine("magpie", MAGPIE, reused), StepLine("pair", PAIR, reused))
    return Summary("quickstart", lines, 13.2, Path("runs/q"), {"dpo": 31, "kto": 62})


def test_columns_line_up_and_numbers_stand_to_the_right() -> None:
    assert align(("name", "n"), [("a", "1,000"), ("bcdef", "2")]) == [
        "name       n",
        "-----  -----",
        "a      1,000",
        "bcdef      2",
    ]


def watched() -> Summary:
    """`magpie` was seen to commit 450 of its tokens in 9 s; `pair` did nothing in this run."""
    clock = Clock()
    tally = Tally(clock)
    tally.opened(keyed("magpie"), 2, 1, None)
    tally.opened(keyed("pair", number=1), 2, 2, None)
    clock.now += 20
    tally.part_done(keyed("magpie"), part(1, tokens=450, s=6.0))
    clock.now += 3
    tally.closed(keyed("magpie"), MAGPIE)
    tally.closed(keyed("pair", number=1), PAIR)
    clock.now += 60
    return summary(reused=False).with_pace(tally, repeated_tokens=1234)


def test_a_cell_without_a_number_leaves_the_others_to_the_right() -> None:
    assert align(("name", "n"), [("a", "1,000"), ("b", "-")])[2:] == ["a     1,000", "b         -"]


def test_the_table_has_rows_rejects_tokens_time_and_paths() -> None:
    text = watched().as_text()
    assert "step    in  out  rejects  tokens  tokens/s  in models  time\n" in text
    assert "magpie  48   40        8     900        50  9.0 s      9.0 s\n" in text
    assert "pair    40   31        9       0         -  -          -\n" in text
    assert "1,234 tokens were sampled twice" in text
    assert "pair         tie           9" in text
    assert "900 tokens sampled, 1,200 read, in 13 s" in text
    assert "runs/q/dataset/dpo  31 rows" in text


def test_tokens_that_a_prefix_cache_had_are_a_share_of_those_read() -> None:
    cached = replace(MAGPIE, usage=Usage(60, 1200, 900, 9.0, cached_tokens=300))
    lines = (StepLine("magpie", cached, reused=False),)
    text = Summary("quickstart", lines, 13.2, Path("runs/q"), {}).as_text()
    assert "900 tokens sampled, 1,200 read (25% cached), in 13 s" in text


def test_texts_that_a_model_saw_a_part_of_are_counted() -> None:
    cut = replace(MAGPIE, usage=Usage(60, 1200, 900, 9.0, cut_texts=7))
    lines = (StepLine("embed", cut, reused=False),)
    text = Summary("quickstart", lines, 13.2, Path("runs/q"), {}).as_text()
    assert "embed: 7 texts did not fit the model's window; it saw a part of them\n" in text
    assert "did not fit" not in watched().as_text()


def test_what_a_step_says_of_its_choice_is_one_line() -> None:
    figures = {"threshold": 0.8, "kept": 12000, "by": "margin", "shares": {"a": 1}}
    lines = (StepLine("dedup", PAIR, reused=False, figures=figures),)
    found = Summary("quickstart", lines, 13.2, Path("runs/q"), {})
    assert 'dedup: threshold 0.8, kept 12,000, by margin, shares {"a": 1}\n' in found.as_text()
    assert found.as_json()["steps"][0]["figures"] == figures


def test_a_run_that_did_nothing_says_so_and_claims_no_tokens() -> None:
    text = summary(reused=True).as_text()
    assert "done before" in text
    assert "0 tokens sampled" in text
    assert "Nothing to do" in text


def test_what_was_not_lost_is_not_mentioned() -> None:
    assert "twice" not in summary(reused=False).as_text()


def test_json_has_the_same_facts() -> None:
    value = watched().as_json()
    assert value["repeated_tokens"] == 1234
    assert [step["wall_s"] for step in value["steps"]] == [9.0, None]
    assert [step["tokens_per_s"] for step in value["steps"]] == [50.0, None]
    assert value["rows"] == {"dpo": 31, "kto": 62}
    assert value["steps"][0]["rejects"] == {"fragment": 5, "repeated": 3}
    assert value["steps"][0]["usage"]["sampled_tokens"] == 900
