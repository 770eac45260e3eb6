"""Read an expression over columns, as data: a tree, never code.

    either     = both ("or" both)*
    both       = negation ("and" negation)*
    negation   = "not" negation | comparison
    comparison = sum (("==" | "!=" | "<" | "<=" | ">" | ">=") sum | "not"? "in" list)?
    list       = "[" literal ("," literal)* "]"
    sum        = product (("+" | "-") product)*
    product    = sign (("*" | "/") sign)*
    sign       = "-" sign | atom
    atom       = number | text | "true" | "false" | name | function "(" either ("," either)* ")"
               | "(" either ")"

Texts stand in single or double quotes, where a backslash takes the next character as it is. A name
of letters, digits and `_` stands as it is, any other in backticks. What the parts may be is checked
by `stages._column_kinds`, what they come to by `stages._column_values`. Sizes are bounded here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

MAX_CHARS = 2000
MAX_DEPTH = 40
COMPARISONS = ("==", "!=", "<=", ">=", "<", ">")

_KEYWORDS = frozenset({"and", "or", "not", "in", "true", "false"})
_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*|`[^`\n]+`)"
    r"|(?P<text>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')"
    r"|(?P<sign>==|!=|<=|>=|[-+*/<>()\[\],]))",
    re.DOTALL,
)
_SHOWN = 60


class NotAnExpression(ValueError):
    """A text that is no expression of this grammar, or one that cannot be computed.

    Its message shows the place.
    """

    def __init__(self, reason: str, text: str, at: int) -> None:
        start = max(0, min(at - _SHOWN // 2, len(text) - _SHOWN))
        window = re.sub(r"\s", " ", text[start : start + _SHOWN])
        super().__init__(f"{reason}, at character {at + 1}\n  {window}\n  {' ' * (at - start)}^")


@dataclass(frozen=True, slots=True)
class Node:
    """A part of an expression.

    Attributes:
        kind: `number`, `text`, `truth`, `name`, `call`, `list`, `negative`, `not`, or an operator:
            `and`, `or`, `in`, `+ - * /`, one of COMPARISONS.
        start: its first character in the text.
        end: the character after its last.
        value: of a literal; the name of a column or function.
        parts: what it is made of.
    """

    kind: str
    start: int
    end: int
    value: float | str | bool = ""
    parts: tuple[Node, ...] = ()

    def __iter__(self) -> Iterator[Node]:
        """The node and all below it."""
        yield self
        for part in self.parts:
            yield from part


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression with its text."""

    text: str
    tree: Node

    @property
    def names(self) -> tuple[str, ...]:
        """The columns it names, each once, in their order."""
        return tuple(dict.fromkeys(str(n.value) for n in self.tree if n.kind == "name"))

    def source(self, node: Node) -> str:
        """The text of a part, on one line."""
        return " ".join(self.text[node.start : node.end].split())


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int


def parse(text: str) -> Expression:
    """The expression that a text is.

    Raises:
        NotAnExpression: it is none, or one beyond the limits above.
    """
    if len(text) > MAX_CHARS:
        raise NotAnExpression(f"{len(text)} characters, more than {MAX_CHARS}", text, MAX_CHARS)
    reader = _Reader(text, _tokens(text))
    tree = reader.either(MAX_DEPTH)
    reader.finish()
    return Expression(text, tree)


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    place, end = 0, len(text.rstrip())
    while place < end:
        match = _TOKEN.match(text, place)
        if match is None:
            place += len(text[place:]) - len(text[place:].lstrip())
            raise NotAnExpression(_no_token(text[place:]), text, place)
        assert match.lastgroup is not None, "each branch of the pattern has a name"
        kind, found = match.lastgroup, match[match.lastgroup]
        if found in _KEYWORDS:
            kind = "sign"
        tokens.append(_Token(kind, found, *match.span(match.lastgroup)))
        place = match.end()
    return tokens


def _no_token(rest: str) -> str:
    if rest[0] in "\"'`":
        return f"{rest[0]} opens a text that is not closed"
    if rest[0] == "=":
        return "`=` is no comparison; write `==`"
    return f"`{rest[0]}` is no part of an expression"


class _Reader:
    """Recursive descent; `depth` is how many more levels may be opened."""

    def __init__(self, text: str, tokens: Sequence[_Token]) -> None:
        self._text = text
        self._tokens = tokens
        self._place = 0

    @property
    def _next(self) -> _Token | None:
        return self._tokens[self._place] if self._place < len(self._tokens) else None

    def _fail(self, reason: str) -> NotAnExpression:
        token = self._next
        if token is None:
            return NotAnExpression(f"it ends too early: {reason}", self._text, len(self._text))
        return NotAnExpression(f"`{token.text}`: {reason}", self._text, token.start)

    def _take(self, *signs: str) -> str | None:
        """The next token, if it is one of these."""
        token = self._next
        if token is None or token.kind != "sign" or token.text not in signs:
            return None
        self._place += 1
        return token.text

    def _need(self, sign: str, reason: str) -> int:
        """Take a sign; returns the character after it."""
        if not self._take(sign):
            raise self._fail(reason)
        return self._tokens[self._place - 1].end

    def finish(self) -> None:
        """Raise NotAnExpression if anything is left."""
        if self._next is not None:
            raise self._fail("an operator such as `and` is missing before it")

    def either(self, depth: int) -> Node:
        if depth <= 0:
            raise self._fail(f"nested more than {MAX_DEPTH} deep")
        node = self._both(depth)
        while self._take("or"):
            node = _joined("or", node, self._both(depth))
        return node

    def _both(self, depth: int) -> Node:
        node = self._negation(depth)
        while self._take("and"):
            node = _joined("and", node, self._negation(depth))
        return node

    def _negation(self, depth: int) -> Node:
        start = self._start
        if not self._take("not"):
            return self._comparison(depth)
        if depth <= 0:
            raise self._fail(f"nested more than {MAX_DEPTH} deep")
        part = self._negation(depth - 1)
        return Node("not", start, part.end, parts=(part,))

    @property
    def _start(self) -> int:
        return self._next.start if self._next else len(self._text)

    def _comparison(self, depth: int) -> Node:
        node = self._sum(depth)
        if sign := self._take(*COMPARISONS):
            node = _joined(sign, node, self._sum(depth))
        elif self._take("in"):
            node = _joined("in", node, self._list(depth))
        elif self._take("not"):
            self._need("in", "`not` after a value goes on with `in`")
            inner = _joined("in", node, self._list(depth))
            node = Node("not", inner.start, inner.end, parts=(inner,))
        if self._next and self._next.text in (*COMPARISONS, "in"):
            raise self._fail("comparisons do not chain; join two by `and`")
        return node

    def _list(self, depth: int) -> Node:
        start = self._start
        self._need("[", "`in` needs a list in square brackets")
        literals = [self._literal(depth)]
        while self._take(","):
            literals.append(self._literal(depth))
        end = self._need("]", "a `,` or the list's `]` is missing before it")
        return Node("list", start, end, parts=tuple(literals))

    def _literal(self, depth: int) -> Node:
        place = self._place
        node = self._sign(depth)
        if node.kind == "negative" and node.parts[0].kind == "number":
            return Node("number", node.start, node.end, -float(node.parts[0].value))
        if node.kind not in ("number", "text", "truth"):
            self._place = place
            raise self._fail("a list holds numbers or texts")
        return node

    def _sum(self, depth: int) -> Node:
        node = self._product(depth)
        while sign := self._take("+", "-"):
            node = _joined(sign, node, self._product(depth))
        return node

    def _product(self, depth: int) -> Node:
        node = self._sign(depth)
        while sign := self._take("*", "/"):
            node = _joined(sign, node, self._sign(depth))
        return node

    def _sign(self, depth: int) -> Node:
        if depth <= 0:
            raise self._fail(f"nested more than {MAX_DEPTH} deep")
        start = self._start
        if not self._take("-"):
            return self._atom(depth)
        part = self._sign(depth - 1)
        return Node("negative", start, part.end, parts=(part,))

    def _atom(self, depth: int) -> Node:
        token = self._next
        if token is None:
            raise self._fail("a value is missing")
        if self._take("("):
            inner = self.either(depth - 1)
            end = self._need(")", "a bracket is not closed before it")
            return Node(inner.kind, token.start, end, inner.value, inner.parts)
        if word := self._take("true", "false"):
            return Node("truth", token.start, token.end, word == "true")
        if token.kind == "sign":
            raise self._fail("a value is missing before it")
        self._place += 1
        if token.kind == "name" and self._next and self._next.text == "(":
            return self._call(token, depth)
        return _leaf(token)

    def _call(self, function: _Token, depth: int) -> Node:
        self._take("(")
        arguments = [self.either(depth - 1)]
        while self._take(","):
            arguments.append(self.either(depth - 1))
        end = self._need(")", "a `,` or a `)` is missing before it")
        return Node("call", function.start, end, function.text, tuple(arguments))


def _joined(kind: str, left: Node, right: Node) -> Node:
    return Node(kind, left.start, right.end, parts=(left, right))


def _leaf(token: _Token) -> Node:
    if token.kind == "number":
        return Node("number", token.start, token.end, float(token.text))
    if token.kind == "text":
        value = re.sub(r"\\(.)", r"\1", token.text[1:-1], flags=re.DOTALL)
        return Node("text", token.start, token.end, value)
    return Node("name", token.start, token.end, token.text.strip("`"))
