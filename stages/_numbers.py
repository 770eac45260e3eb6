"""Numbers as people write them in answers, read exactly.

    42   -3.5   .5   1,234,567.89   1e5   2 x 10^3   3/4   1 1/2   ½   50%   $12   12 km

A comma groups thousands in threes and a point starts decimals; `1.234,5` and `12,34` are no
numbers here, nor are dates, times, ratios and pieces of a formula: what has two readings is left
unread.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

MAX_CHARS = 100
"""A longer number is left unread; so is an exponent of more than three digits."""

Percent = Literal["unit", "hundredth"]

_PLAIN = r"(?:[0-9]{1,3}(?:,[0-9]{3})++(?:\.[0-9]++)?|[0-9]++(?:\.[0-9]++)?|\.[0-9]++)"
_NUMBER = re.compile(
    r"(?<![\w^\\])(?<![0-9][.,:/])(?P<sign>(?<![)\]])[-+])?(?P<before>[$€£¥]\s?)?(?P<minus>-)?"
    r"(?:(?P<whole>[0-9]++)\s++(?P<top>[0-9]++)/(?P<bottom>[0-9]++)"
    rf"|(?P<over>{_PLAIN})\s?/\s?(?P<under>{_PLAIN})"
    rf"|(?P<plain>{_PLAIN})(?:[eE](?P<e>[-+]?[0-9]{{1,3}})"
    r"|\s?[x×*·]\s?10\s?\^\s?(?P<ten>[-+]?[0-9]{1,3}))?)"
    r"(?![0-9]|[eE][-+]?[0-9]|[.,:/][0-9]|\s?/\s?[0-9]|\s?\^|\s?[x×*·]\s?[0-9])"
)
_PERCENT = re.compile(r"\s*(?:%|per\s?cent\b)", re.IGNORECASE)
_GOES_ON = re.compile(r"\s*[-+*/×÷^]\s*[0-9(]")
_WENT_BEFORE = re.compile(r"[0-9)]\s{0,3}[-+*/×÷]\s{0,3}$")
_WORD = re.compile(r"\s*([^\W\d_]+)")
_VULGAR = re.compile("[¼-¾⅐-⅞]")
_RAISED = re.compile("[⁺⁻⁰¹²³⁴-⁹]+")


@dataclass(frozen=True, slots=True)
class Number:
    """A number in a text.

    Attributes:
        value: exact, without regard to its unit.
        text: as written, the unit left out.
        factor: that of the stated unit beside it, if there is one.
        is_term: true if an operator ties it to another number, so that it is part of a formula.
    """

    value: Fraction
    text: str
    factor: Fraction | None
    is_term: bool

    def is_near(self, gold: Number, tolerance: Fraction) -> bool:
        """Whether the error is within a share of the gold number; units count if both have one."""
        ours, theirs = self.value, gold.value
        if self.factor is not None and gold.factor is not None:
            ours, theirs = ours * self.factor, theirs * gold.factor
        return abs(ours - theirs) <= tolerance * abs(theirs)


@dataclass(frozen=True, slots=True)
class Units:
    """What may stand beside a number.

    Attributes:
        factors: of each unit, as exact decimals, e.g. `km` 1000 and `m` 1.
        percent: `unit`: 50% is 50; `hundredth`: it is 0.5.
    """

    factors: Mapping[str, Fraction]
    percent: Percent = "unit"


def numbers_in(text: str, units: Units) -> Iterator[Number]:
    """The numbers of a text, in its order."""
    text = _uniform(text)
    for match in _NUMBER.finditer(text):
        value = _value(match)
        if value is None:
            continue
        if units.percent == "hundredth" and _PERCENT.match(text, match.end()):
            value /= 100
        factor, is_term = _factor(match, text, units), _is_term(match, text)
        yield Number(value, match[0].strip(), factor, is_term)


def _uniform(text: str) -> str:
    """One spelling of signs, digits, fractions and powers; `1½` becomes `1 1/2`."""
    text = _VULGAR.sub(lambda match: f" {match[0]}", text)
    text = _RAISED.sub(lambda match: f"^{match[0]}", text)
    return unicodedata.normalize("NFKC", text).replace("\u2044", "/").replace("\u2212", "-")


def _value(match: re.Match[str]) -> Fraction | None:
    if len(match[0]) > MAX_CHARS:
        return None
    if match["whole"]:
        part = _ratio(match["top"], match["bottom"])
        value = None if part is None else int(match["whole"]) + part
    elif match["over"]:
        value = _ratio(match["over"], match["under"])
    else:
        value = _plain(match["plain"]) * Fraction(10) ** int(match["e"] or match["ten"] or 0)
    negative = (match["sign"] or "").startswith("-") or match["minus"]
    return -value if negative and value is not None else value


def _ratio(over: str, under: str) -> Fraction | None:
    divisor = _plain(under)
    return _plain(over) / divisor if divisor else None


def _plain(text: str) -> Fraction:
    return Fraction(text.replace(",", ""))


def _is_term(match: re.Match[str], text: str) -> bool:
    before = text[max(0, match.start() - 8) : match.start()] + (match["sign"] or "")
    return bool(_GOES_ON.match(text, match.end()) or _WENT_BEFORE.search(before))


def _factor(match: re.Match[str], text: str, units: Units) -> Fraction | None:
    """The factor of the unit beside the number, if it is one of those stated."""
    before = (match["before"] or "").strip()
    after = _WORD.match(text, match.end())
    return units.factors.get(before) or units.factors.get(after[1] if after else "")
