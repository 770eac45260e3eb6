"""What the parts of an expression over columns are: numbers, texts, truths or lists.

len(text or list)        characters of a text, entries of a list
words(text)              its words, as in `filter_rules`
lower(text)              in lower case
contains(text, "piece")  `starts_with`, `ends_with` alike; `matches(text, "pattern")` looks
                         for a regular expression (RE2) anywhere
abs(x) log(x)            magnitude; natural logarithm
min(x, y, ...) max(...)  least and greatest
is_null(x)               whether the value is missing
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from stages._column_expression import COMPARISONS, Expression, Node, NotAnExpression, parse
from stages._patterns import compiled

Kind = Literal["number", "text", "truth", "list", "other", "unknown"]
"""`other` is a column of some further type; `unknown` one of which the type is not known yet."""


@dataclass(frozen=True, slots=True)
class Function:
    """What a function takes and gives.

    Attributes:
        takes: kinds that its first argument may be.
        gives: the kind of its value.
        quoted: whether a second argument follows, a text in quotes.
        many: whether it takes two arguments or more, all alike.
    """

    takes: frozenset[Kind]
    gives: Kind
    quoted: bool = False
    many: bool = False


def _function(takes: Iterable[Kind], gives: Kind, *, quoted: bool = False) -> Function:
    return Function(frozenset((*takes, "unknown")), gives, quoted)


_NUMBERS = Function(frozenset(("number", "unknown")), "number", many=True)

FUNCTIONS: dict[str, Function] = {
    "len": _function(("text", "list"), "number"),
    "words": _function(("text",), "number"),
    "lower": _function(("text",), "text"),
    "contains": _function(("text",), "truth", quoted=True),
    "starts_with": _function(("text",), "truth", quoted=True),
    "ends_with": _function(("text",), "truth", quoted=True),
    "matches": _function(("text",), "truth", quoted=True),
    "abs": _function(("number",), "number"),
    "log": _function(("number",), "number"),
    "min": _NUMBERS,
    "max": _NUMBERS,
    "is_null": _function(("number", "text", "truth", "list", "other"), "truth"),
}


def read_expression(text: str, wanted: Kind, kind_of: Callable[[str], Kind]) -> Expression:
    """Parse an expression and check what it comes to.

    Args:
        wanted: what it must come to.
        kind_of: the kind of each column.

    Raises:
        NotAnExpression: it is none, or its parts do not fit together.
    """
    expression = parse(text)
    check_kinds(expression, wanted, kind_of)
    return expression


def check_kinds(expression: Expression, wanted: Kind, kind_of: Callable[[str], Kind]) -> None:
    """Raise NotAnExpression if the parts do not fit together, or if it comes to another kind."""
    _Checker(expression.text, kind_of).need(expression.tree, wanted, "the whole")


_LITERALS: dict[str, Kind] = {"number": "number", "text": "text", "truth": "truth"}


@dataclass(frozen=True, slots=True)
class _Checker:
    text: str
    kind_of: Callable[[str], Kind]

    def need(self, node: Node, wanted: Kind, what: str) -> Kind:
        kind = self.kind(node)
        if kind not in (wanted, "unknown"):
            raise self._fail(node, f"{what} must be a {wanted} and is a {kind}")
        return wanted

    def _fail(self, node: Node, reason: str) -> NotAnExpression:
        return NotAnExpression(reason, self.text, node.start)

    def kind(self, node: Node) -> Kind:
        if literal := _LITERALS.get(node.kind):
            return literal
        if node.kind == "name":
            return self._column(node)
        if node.kind == "call":
            return self._call(node)
        if node.kind == "in":
            return self._in(node)
        if node.kind in ("==", "!="):
            self._alike(*node.parts)
            return "truth"
        logical = node.kind in ("and", "or", "not")
        for part in node.parts:
            self.need(part, "truth" if logical else "number", f"what `{_sign(node)}` works on")
        return "truth" if logical or node.kind in COMPARISONS else "number"

    def _column(self, node: Node) -> Kind:
        kind = self.kind_of(str(node.value))
        if kind == "unknown" and node.value in FUNCTIONS:
            raise self._fail(node, f"the function `{node.value}` needs its argument in brackets")
        return kind

    def _alike(self, left: Node, right: Node) -> None:
        kinds = {self.kind(left), self.kind(right)} - {"unknown"}
        if kinds & {"list", "other"}:
            raise self._fail(left, "lists and records cannot be compared")
        if len(kinds) == 2:
            raise self._fail(left, f"a {' and a '.join(sorted(kinds))} are never equal")

    def _in(self, node: Node) -> Kind:
        value, listed = node.parts
        for literal in listed.parts:
            self._alike(value, literal)
            self._alike(listed.parts[0], literal)
        return "truth"

    def _call(self, node: Node) -> Kind:
        name = str(node.value)
        function = FUNCTIONS.get(name)
        if function is None:
            near = difflib.get_close_matches(name, FUNCTIONS, n=1)
            advice = f"did you mean `{near[0]}`?" if near else "there are " + ", ".join(FUNCTIONS)
            raise self._fail(node, f"no function `{name}`; {advice}")
        self._check_count(node, function)
        for argument in node.parts[:1] if function.quoted else node.parts:
            if (kind := self.kind(argument)) not in function.takes:
                allowed = " or a ".join(sorted(function.takes - {"unknown"}))
                raise self._fail(argument, f"`{name}` takes a {allowed}, not a {kind}")
        if function.quoted:
            self._check_quoted(name, node.parts[1])
        return function.gives

    def _check_count(self, node: Node, function: Function) -> None:
        count, wanted = len(node.parts), 2 if function.quoted or function.many else 1
        if count < wanted or (count > wanted and not function.many):
            more = " or more" if function.many else ""
            raise self._fail(node, f"`{node.value}` takes {wanted}{more} arguments, not {count}")

    def _check_quoted(self, name: str, node: Node) -> None:
        if node.kind != "text":
            raise self._fail(node, f"`{name}` looks for a text in quotes")
        if name == "matches":
            try:
                compiled(str(node.value))
            except ValueError as error:
                raise self._fail(node, str(error)) from error


def _sign(node: Node) -> str:
    return "-" if node.kind == "negative" else node.kind
