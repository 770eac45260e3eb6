r"""Find the final answer of a response, and read it as what the gold answer is.

An answer is announced by `#### 42` (GSM8K), `\boxed{42}` (MATH), or a phrase such as `The answer
is 42` or `**Answer:** 42`; the last announcement that can be read counts. Where nothing is
announced, the last number stands for it (as in the flexible extraction of EleutherAI's evaluation
harness), the only choice that is marked as one, the last line as an expression, or a text of one
line. That guess is not made for a response that was cut off: its last number is somewhere in the
middle.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from stages._expression import NotAnExpression, Tree, parse
from stages._numbers import Number, Units, numbers_in
from stages._patterns import last_match

Kind = Literal["number", "choice", "maths", "text"]

_ANNOUNCED = re.compile(
    r"(?P<hashes>\#{4})|(?P<boxed>\\boxed\s?\{)"
    r"|\banswer\b[^\n.:=?]{0,60}?(?:(?:\bis\b|\bequals\b)(?!\s+not\b|n't)[*_\s]*:?|:|=)",
    re.IGNORECASE,
)
_ANNOUNCEMENTS = 20
"""So many are tried, from the last one back."""
_CHARS = 400
"""An announced answer ends within so many characters."""
_TAIL = 2000
"""An answer that nothing announces is looked for in so many characters at the end."""
_EMPHASIS = "*_` \t\n"
_MARKUP = _EMPHASIS + "$"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that could be read.

    Attributes:
        text: as written.
        value: what is compared: an exact number, a letter, an expression, a folded text.
    """

    text: str
    value: Number | Tree | str


@dataclass(frozen=True, slots=True)
class Reader:
    """How answers of one kind are found and read.

    Attributes:
        kind: what an answer is.
        units: for numbers, what may stand beside one.
        choices: the letters that can be chosen.
        pattern: finds the answer in place of announcements, see `stages._patterns.last_match`.
        guess: whether an answer that nothing announces is looked for.
    """

    kind: Kind
    units: Units
    choices: str = "ABCDE"
    pattern: str | None = None
    guess: bool = True

    def gold(self, text: str) -> Answer | None:
        """The gold answer that a text is, what follows its last `####` if it has any."""
        text = text.rsplit("####", 1)[-1].strip()
        if self.kind == "number":
            found = list(numbers_in(text, self.units))
            return Answer(found[0].text, found[0]) if len(found) == 1 else None
        return self._read(text)

    def response(self, text: str, *, is_whole: bool) -> Answer | None:
        """The final answer of a response; `is_whole` is false for one that was cut off."""
        if self.pattern is not None:
            captured = last_match(self.pattern, text)
            return None if captured is None else self._read(captured)
        for announced in _announced(text):
            if answer := self._read(announced):
                return answer
        return self._guessed(text[-_TAIL:].strip()) if self.guess and is_whole else None

    def _read(self, text: str) -> Answer | None:
        """The answer that a text is, or starts with."""
        text = text[:_CHARS]
        if self.kind == "number":
            return _whole(next(numbers_in(text.rsplit("=", 1)[-1], self.units), None))
        if self.kind == "choice":
            return _choice(text, self.choices)
        return _expression(text) if self.kind == "maths" else _plain(text)

    def _guessed(self, text: str) -> Answer | None:
        if self.kind == "number":
            number = None
            for number in numbers_in(text, self.units):  # noqa: B007 - the last one is wanted
                pass
            return _whole(number)
        if self.kind == "choice":
            return _only_choice(text, self.choices)
        last = text.splitlines()[-1] if text else ""
        if self.kind == "maths":
            return _expression(last)
        return _plain(text) if last == text else None


def _announced(text: str) -> Iterator[str]:
    """What was announced as the answer, the last first."""
    places = [*_ANNOUNCED.finditer(text)][-_ANNOUNCEMENTS:]
    for place in reversed(places):
        rest = text[place.end() : place.end() + _CHARS]
        lines: Sequence[str] = rest.lstrip(_EMPHASIS).splitlines()
        if place["boxed"]:
            inside = _braced(rest)
            lines = [] if inside is None else [inside]
        if lines:
            yield lines[0]


def _whole(number: Number | None) -> Answer | None:
    """A number as an answer, unless it is but a term of a formula."""
    return None if number is None or number.is_term else Answer(number.text, number)


def _braced(text: str) -> str | None:
    """What stands before the brace that closes one already opened."""
    depth = 1
    for place, character in enumerate(text):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth == 0:
            return text[:place]
    return None


def _choice(text: str, choices: str) -> Answer | None:
    """The letter that a text starts with. `A` before a word is an article unless bracketed."""
    text = unicodedata.normalize("NFKC", text).strip(_MARKUP)
    word = r"(?:the\s+)?(?:option|choice|letter|answer)?\s*[*_`]*"
    bracketed = re.match(rf"{word}[(\[]\s?([{choices}])\s?[)\]]", text, re.IGNORECASE)
    bare = re.match(rf"{word}([{choices}])(?![\w'’-])(?!\s+\w)", text)
    followed = re.match(rf"(?i:{word})([{choices}])(?=\s+(?:because|since|as|for|is)\b)", text)
    match = bracketed or bare or followed
    return Answer(match[1], match[1].upper()) if match else None


def _only_choice(text: str, choices: str) -> Answer | None:
    """The one letter that is marked as a choice, if there is one alone."""
    text = unicodedata.normalize("NFKC", text)
    alone = text.strip(f"{_MARKUP}.)(")
    marked = re.findall(
        rf"(?:^|\s)\(([{choices}])\)|^[*_\s]*([{choices}])[.):]", text, re.MULTILINE
    )
    letters = {first or second for first, second in marked}
    letters |= {alone} if len(alone) == 1 and alone in choices else set()
    return Answer(letter, letter) if len(letters) == 1 and (letter := letters.pop()) else None


def _expression(text: str) -> Answer | None:
    """The expression that a text is, or the right-hand side of the equation that it is."""
    for opening, closing in (("\\(", "\\)"), ("\\[", "\\]")):
        text = text.strip().removeprefix(opening).removesuffix(closing)
    text = text.strip(_MARKUP).rstrip(".").rsplit("=", 1)[-1].strip(_MARKUP)
    try:
        return Answer(text, parse(text))
    except NotAnExpression:
        return None


def _plain(text: str) -> Answer | None:
    folded = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    bare = folded.strip(_MARKUP + ".,;:!\"'“”‘’()")
    return Answer(text.strip(), bare) if bare else None
