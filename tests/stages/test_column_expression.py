from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages._column_expression import MAX_CHARS, MAX_DEPTH, Node, NotAnExpression, parse


def spelled(node: Node) -> str:
    """A tree on one line, every operation in brackets."""
    if node.kind == "text":
        return repr(node.value)
    if not node.parts:
        return str(node.value)
    parts = [spelled(part) for part in node.parts]
    if node.kind in ("call", "list"):
        return f"{node.value}[{', '.join(parts)}]"
    if len(parts) == 1:
        return f"({node.kind} {parts[0]})"
    return f"({parts[0]} {node.kind} {parts[1]})"


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a >= 0.2 and b > .5", "((a >= 0.2) and (b > 0.5))"),
        ("a or b and not c", "(a or (b and (not c)))"),
        ("not a == b", "(not (a == b))"),
        ("1 + 2 * 3 - 4", "((1.0 + (2.0 * 3.0)) - 4.0)"),
        ("8 / 4 / 2", "((8.0 / 4.0) / 2.0)"),
        ("-a * -2", "((negative a) * (negative 2.0))"),
        ("(a + b) * 2e3", "((a + b) * 2000.0)"),
        ("len(chosen) < 4 * len(rejected)", "(len[chosen] < (4.0 * len[rejected]))"),
        ("x in ['a', \"b\"]", "(x in ['a', 'b'])"),
        ("x not in [1, -2]", "(not (x in [1.0, -2.0]))"),
        ("x == 'it\\'s \\\\ \"'", "(x == 'it\\'s \\\\ \"')"),
        ("`my column` == true", "(my column == True)"),
        ("min(a, b, 1)", "min[a, b, 1.0]"),
        ("((a))\n or\tb", "(a or b)"),
    ],
)
def test_how_expressions_are_read(text: str, tree: str) -> None:
    assert spelled(parse(text).tree) == tree


@pytest.mark.parametrize(
    ("text", "reason", "column"),
    [
        ("", "a value is missing", 0),
        ("a = 2", "write `==`", 2),
        ("a < b < c", "do not chain", 6),
        ("a in b", "square brackets", 5),
        ("a in [b]", "numbers or texts", 6),
        ("a in [1", "it ends too early", 7),
        ("a not b", "goes on with `in`", 6),
        ("(a", "not closed", 2),
        ("len(a", "it ends too early", 5),
        ("a b", "operator", 2),
        ("a and", "a value is missing", 5),
        ("'abc", "not closed", 0),
        ("a ? b", "no part of an expression", 2),
        ("a.b", "no part of an expression", 1),
        ("a > 1; b", "no part of an expression", 5),
        ("* 2", "a value is missing", 0),
    ],
)
def test_an_error_shows_the_place(text: str, reason: str, column: int) -> None:
    with pytest.raises(NotAnExpression, match=reason) as caught:
        parse(text)
    said, shown, caret = str(caught.value).split("\n")
    assert said.endswith(f"at character {column + 1}")
    assert shown == f"  {text}"
    assert caret == " " * (column + 2) + "^"


def test_of_a_long_expression_the_part_around_the_place_is_shown() -> None:
    text = " and ".join(["column_name > 1"] * 20) + " and ? and " + " and ".join(["b"] * 20)
    with pytest.raises(NotAnExpression) as caught:
        parse(text)
    _, shown, caret = str(caught.value).split("\n")
    assert shown[caret.index("^")] == "?"
    assert len(shown) <= 62


def test_sizes_are_bounded() -> None:
    parse("(" * (MAX_DEPTH - 1) + "a" + ")" * (MAX_DEPTH - 1))
    for text in ("(" * 900 + "a", "not " * 400 + "a", "-" * 900 + "a", "len(" * 400 + "a"):
        with pytest.raises(NotAnExpression, match=f"nested more than {MAX_DEPTH} deep"):
            parse(text)
    with pytest.raises(NotAnExpression, match=f"more than {MAX_CHARS}"):
        parse("a" * (MAX_CHARS + 1))
    parse(" or ".join(["a"] * (MAX_CHARS // 6)))


def test_names_come_once_and_in_their_order() -> None:
    assert parse("b > a and len(b) > c and 'd' == `e f`").names == ("b", "a", "c", "e f")


WORDS = "a b_1 1 2.5 'x' true and or not in len min == != < <= > >= + - * / ( ) [ ] , ="
PIECES = st.one_of(st.sampled_from(WORDS.split(" ")), st.sampled_from(["`c d`", '"y"']))


@given(st.one_of(st.text(), st.lists(PIECES, max_size=12).map(" ".join)))
def test_any_text_is_an_expression_or_an_error_of_ours(text: str) -> None:
    try:
        expression = parse(text)
    except NotAnExpression:
        return
    for node in expression.tree:
        assert 0 <= node.start < node.end <= len(text)
        if node.kind not in ("list",):
            parse(text[node.start : node.end])  # what is shown of a part is an expression itself
