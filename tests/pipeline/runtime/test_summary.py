"""The table at the end of a run."""

from pathlib import Path

from pipeline.runtime.reports import StepReport, Usage
from pipeline.runtime.summary import StepLine, Summary, align

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


def test_the_table_has_rows_rejects_tokens_time_and_paths() -> None:
    text = summary(reused=False).as_text()
    assert "magpie  48   40        8     900  12 s" in text
    assert "pair         tie           9" in text
    assert "900 tokens sampled, 1,200 read, in 13 s" in text
    assert "runs/q/dataset/dpo  31 rows" in text


def test_a_run_that_did_nothing_says_so_and_claims_no_tokens() -> None:
    text = summary(reused=True).as_text()
    assert "done before" in text
    assert "0 tokens sampled" in text
    assert "Nothing to do" in text


def test_json_has_the_same_facts() -> None:
    value = summary(reused=False).as_json()
    assert value["rows"] == {"dpo": 31, "kto": 62}
    assert value["steps"][0]["rejects"] == {"fragment": 5, "repeated": 3}
    assert value["steps"][0]["usage"]["sampled_tokens"] == 900
