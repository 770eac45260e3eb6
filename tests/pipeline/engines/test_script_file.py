"""Scripts: what may be written, what is refused, and what of it is the model's identity."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engines.script_file import AnswerTokens, Fault, Pace, Script, parse_script
from schemas.errors import InputError

RULES = "rules: [{match: France, labels: {A: 0.7, B: 0.2}}]\n"
LENGTHS = "pace: {answer_tokens: {min: 8, max: 16}}\n"


def parse(text: str) -> Script:
    return parse_script(text, Path("script.yaml"))


def test_every_part_may_be_left_out() -> None:
    assert parse("{}") == Script()
    assert parse("pace: {startup_s: 1}").pace == Pace(startup_s=1.0)
    assert parse("faults: [{kill: true}]").faults == (Fault(kill=True),)


def test_one_number_is_a_fixed_length() -> None:
    assert parse("pace: {answer_tokens: 9}").pace.answer_tokens == AnswerTokens(min=9, max=9)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the whole file: Input should be a valid dictionary"),
        ("rules: [", "not valid YAML"),
        ("rules: [{answr: [x]}]", "rules.0.answr"),
        ("rules: [{match: a, regex: b}]", "not both"),
        ("rules: [{regex: '('}]", "is no pattern"),
        ("rules: [{labels: {A: 0.7, B: 0.7}}]", "together at most 1"),
        ("rules: [{fail: explosion}]", "rules.0.fail"),
        ("pace: {tokens_per_s: 0}", "pace.tokens_per_s: Input should be greater than 0, got 0"),
        ("pace: {tokens_per_s: fast}", "pace.tokens_per_s"),
        ("pace: {tokens_per_s: .inf}", "finite number"),
        ("pace: {max_num_seqs: 0}", "pace.max_num_seqs"),
        ("pace: {answer_tokens: {min: 9, max: 8}}", "`min` 9 is above `max` 8"),
        ("pace: {answer_tokens: true}", "pace.answer_tokens"),
        ("pace: {record: true}", "`record` needs `tokens_per_s`"),
        ("faults: [{match: a}]", "a fault does one thing"),
        ("faults: [{die: true, fail: server}]", "a fault does one thing"),
        ("faults: [{match: a, every_s: 1, die: true}]", "`every_s` stands alone"),
        ("faults: [{regex: '(', die: true}]", "is no pattern"),
        ("faults: [{die: true, times: 0}]", "faults.0.times"),
        ("faults: [{fail: explosion}]", "faults.0.fail"),
    ],
)
def test_what_means_nothing_is_refused(text: str, problem: str) -> None:
    with pytest.raises(InputError, match=r"^script\.yaml: the script") as caught:
        parse(text)
    assert problem in str(caught.value)


# -- identity


@pytest.mark.parametrize(
    "same",
    [
        RULES + LENGTHS + "# a remark",
        "rules: [{labels: {B: 0.2, A: 0.7}, match: France, answer: []}]\n" + LENGTHS,
        RULES + "pace: {answer_tokens: {max: 16, min: 8}, tokens_per_s: 5, startup_s: 3}",
        RULES + LENGTHS + "faults: [{every_s: 5, kill: true}, {match: x, fail: server}]",
    ],
)
def test_spelling_pace_and_faults_are_no_identity(same: str) -> None:
    assert parse(same).identity == parse(RULES + LENGTHS).identity


@pytest.mark.parametrize(
    "other",
    [
        RULES,
        LENGTHS,
        RULES + "pace: {answer_tokens: 8}",
        RULES.replace("0.7", "0.6") + LENGTHS,
        RULES.replace("match", "regex") + LENGTHS,
    ],
)
def test_what_decides_rows_is_identity(other: str) -> None:
    assert parse(other).identity != parse(RULES + LENGTHS).identity


@pytest.mark.parametrize("text", ["{}", "rules: []", "pace: {tokens_per_s: 5}"])
def test_a_script_that_answers_as_echo_has_its_identity(text: str) -> None:
    assert parse(text).identity == ""


# -- lengths


@given(st.integers(1, 5000), st.integers(0, 5000), st.integers(0, 2**63 - 1))
def test_lengths_stay_within_their_bounds(least: int, more: int, seed: int) -> None:
    tokens = AnswerTokens(min=least, max=least + more)
    assert least <= tokens.draw(seed) <= least + more
    assert tokens.draw(seed) == tokens.draw(seed)


def test_lengths_are_log_uniform_over_seeds() -> None:
    drawn = [AnswerTokens(min=1, max=1023).draw(seed) for seed in range(10_000)]
    doublings = [sum(2**k <= n < 2 ** (k + 1) for n in drawn) for k in range(10)]
    assert sum(doublings) == len(drawn)
    assert all(math.isclose(share, 1000, rel_tol=0.02) for share in doublings)
