from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.recipe.yaml_io import dotted, parse_yaml
from schemas.errors import Problem


def value_of(text: str) -> object:
    document = parse_yaml(text, "f")
    assert not document.problems
    return document.value


def only_problem(text: str) -> Problem:
    (problem,) = parse_yaml(text, "f").problems
    return problem


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("Off", "Off"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("2024-01-31", "2024-01-31"),
        ("12:30:00", "12:30:00"),
        ("1_000", "1_000"),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("-3", -3),
        ("1e-5", 1e-5),
        ("2.", 2.0),
        (".5", 0.5),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ('"7"', "7"),
        ("[1, [a]]", [1, ["a"]]),
    ],
)
def test_plain_scalars_follow_yaml_1_2(text: str, value: object) -> None:
    found = value_of(text)
    assert found == value
    assert type(found) is type(value)


def test_every_key_and_item_has_its_line() -> None:
    document = parse_yaml("a: 1\n\nb:\n  - x\n  - {c: 2,\n     d: 3}\n", "f")
    assert document.lines == {
        ("a",): 1,
        ("b",): 3,
        ("b", 0): 4,
        ("b", 1): 5,
        ("b", 1, "c"): 5,
        ("b", 1, "d"): 6,
    }


def test_duplicate_keys_name_both_lines() -> None:
    problem = only_problem("a: 1\nb:\n  c: 1\n  c: 2\n")
    assert (problem.key, problem.line) == ("b.c", 4)
    assert "twice" in problem.seen and "line 3" in problem.seen


def test_tab_in_indentation_is_explained() -> None:
    problem = only_problem("a:\n\tb: 1\n")
    assert problem.line == 2
    assert "tab" in problem.seen and "spaces" in problem.allowed


@pytest.mark.parametrize("text", ["a: [1", "a: b: c", "{", "a: 'x", "- a\nb: 1", "--- a\n--- b"])
def test_syntax_errors_are_problems_with_a_line(text: str) -> None:
    problem = only_problem(text)
    assert problem.seen.startswith("not YAML")
    assert problem.line is not None


@pytest.mark.parametrize(
    "text",
    ["a: !!python/object/apply:os.system ['true']", "!x {a: 1}", "a: !!int x", "a: !!set {}"],
)
def test_tags_are_refused(text: str) -> None:
    assert "tag" in only_problem(text).seen


@pytest.mark.parametrize("text", ["1: a", "[1]: a", "<<: {a: 1}", "null: 3"])
def test_keys_must_be_plain_text(text: str) -> None:
    assert "text" in only_problem(text).allowed


def test_anchors_work() -> None:
    assert value_of("a: &x {b: 1}\nc: *x\n") == {"a": {"b": 1}, "c": {"b": 1}}


def test_billion_laughs_stops_early() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    assert "more than" in only_problem("\n".join(lines)).seen


def test_an_anchor_inside_itself_is_refused() -> None:
    assert "deep" in only_problem("a: &a [*a]").seen


@pytest.mark.parametrize("depth", [40, 5000])
def test_deep_nesting_is_refused(depth: int) -> None:
    assert "deep" in only_problem("[" * depth + "]" * depth).seen


def test_control_characters_name_their_line() -> None:
    problem = only_problem("a: 1\nb: \x07\n")
    assert problem.line == 2
    assert "not allowed" in problem.seen


def test_lone_surrogate_is_refused() -> None:
    assert "surrogate" in only_problem('a: "\\ud800"').seen


@pytest.mark.parametrize("text", ["a: 1e999", f"a: {'9' * 5000}", "a: !!float x"])
def test_numbers_that_no_setting_could_mean(text: str) -> None:
    assert "out of range" in only_problem(text).seen


def test_dotted() -> None:
    assert dotted(("stages", 1, "rows")) == "stages[1].rows"
    assert dotted(()) == ""


@given(st.text(max_size=60))
def test_any_text_gives_a_value_or_problems(text: str) -> None:
    document = parse_yaml(text, "f")
    assert document.value is None or not any(
        p.seen.startswith("not YAML") for p in document.problems
    )


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_survive(value: float) -> None:
    found = value_of(repr(value))
    assert isinstance(found, float)
    assert found == value and math.copysign(1, found) == math.copysign(1, value)
