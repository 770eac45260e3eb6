"""Scripts: what may be written, what is refused, and what of it is the model's identity."""

from pathlib import Path

import pytest

from pipeline.engines.script_file import Script, parse_script
from pipeline.engines.scripted_faults import Fault
from pipeline.engines.scripted_pace import Pace
from schemas.errors import InputError

RULES = "rules: [{match: France, labels: {A: 0.7, B: 0.2}}]\n"
LENGTHS = "answer_tokens: {min: 8, max: 16}\n"


def parse(text: str) -> Script:
    return parse_script(text, Path("script.yaml"))


def test_every_part_may_be_left_out() -> None:
    assert parse("") == parse("{}") == Script()
    assert parse("pace: {tokens_per_s: 9}") == Script(pace=Pace(tokens_per_s=9.0))
    assert parse("faults: [{effect: kill}]") == Script(faults=(Fault(effect="kill"),))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("rules: [", "not valid YAML"),
        ("rules: [{answr: [x]}]", "rules.0.answr"),
        ("rules: [{match: a, regex: b}]", "not both"),
        ("rules: [{regex: '('}]", "is no pattern"),
        ("rules: [{labels: {A: 0.7, B: 0.7}}]", "together at most 1"),
        ("rules: [{fail: explosion}]", "rules.0.fail"),
        ("[rules]", "the whole file: Input should be a valid dictionary"),
        ("pace: {}", "pace.tokens_per_s: Field required"),
        ("pace: {tokens_per_s: 0}", "pace.tokens_per_s: Input should be greater than 0, got 0"),
        ("pace: {tokens_per_s: fast}", "pace.tokens_per_s"),
        ("pace: {tokens_per_s: .inf}", "finite number"),
        ("pace: {tokens_per_s: 1, max_num_seqs: 0}", "pace.max_num_seqs"),
        ("answer_tokens: {min: 9, max: 8}", "`max` is less than `min`"),
        ("answer_tokens: {min: 0, max: 8}", "answer_tokens.min"),
        ("faults: [{match: a}]", "one of `effect` and `fail`"),
        ("faults: [{effect: die, fail: server}]", "one of `effect` and `fail`"),
        ("faults: [{match: a, every_s: 1, effect: die}]", "`every_s` stands alone"),
        ("faults: [{regex: '(', effect: die}]", "is no pattern"),
        ("faults: [{effect: die, times: 0}]", "faults.0.times"),
        ("faults: [{effect: die, times: yes}]", "faults.0.times"),
        ("faults: [{effect: explode}]", "faults.0.effect"),
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
        RULES + f"{LENGTHS}pace: {{tokens_per_s: 5, startup_s: 3}}",
        RULES + LENGTHS + "faults: [{every_s: 5, effect: kill}, {match: x, fail: server}]",
    ],
)
def test_spelling_pace_and_faults_are_no_identity(same: str) -> None:
    assert parse(same).identity == parse(RULES + LENGTHS).identity


@pytest.mark.parametrize(
    "other",
    [
        RULES,
        LENGTHS,
        RULES + LENGTHS.replace("8", "9"),
        RULES.replace("0.7", "0.6") + LENGTHS,
        RULES.replace("match", "regex") + LENGTHS,
    ],
)
def test_what_decides_rows_is_identity(other: str) -> None:
    assert parse(other).identity != parse(RULES + LENGTHS).identity


@pytest.mark.parametrize("text", ["{}", "rules: []", "pace: {tokens_per_s: 5}"])
def test_a_script_that_answers_as_echo_has_its_identity(text: str) -> None:
    assert parse(text).identity == ""
