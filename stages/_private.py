"""Personal data and secrets in texts, as far as their form tells.

Telephone numbers are found by `phonenumbers` (Google's libphonenumber, with the numbering plans of
all countries) and secrets by `detect-secrets` (Yelp): both are plain Python, small, work offline
and load no model. Its detectors that go by a token's form are used, not those that go by entropy or
by words such as `password`, which find something in most prose about code. Addresses of mail and of
machines are checked with the standard library, card numbers by Luhn's rule. Names, streets and the
like need a model that reads, and are not looked for.

Every search starts with one pass of RE2 over all texts, in time linear in them; the libraries see
only what that lets through.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from stages._patterns import compiled

if TYPE_CHECKING:
    import pyarrow as pa

PersonalKind = Literal["email", "phone", "ip", "card"]

_SHOWN = 4
_PIECE, _OVERLAP = 10_000, 2_000
_PATTERNS: dict[PersonalKind, str] = {
    "email": r"[A-Za-z0-9._%+\-]+@(?:[A-Za-z0-9\-]+\.)+[A-Za-z]{2,24}\b",
    "phone": r"[+＋]?[(（]?\d(?:[\s\-./()]{0,3}\d){5,}",
    "ip": r"\b\d{1,3}(?:\.\d{1,3}){3}\b|\b[23][0-9A-Fa-f]{3}:[0-9A-Fa-f:.]+",
    "card": r"\b(?:[2-6]\d{12,18}|[2-6]\d{3}(?:[ \-]\d{4}){3}(?:[ \-]\d{1,3})?"
    r"|3[47]\d{2}[ \-]\d{6}[ \-]\d{5})\b",
}
"""What to look at more closely. An IPv6 address that is not of 2000::/3 is not in public use, and
`std::move` would be one."""
_RESERVED = re.compile(r"(?:^|[@.])(?:example(?:\.(?:com|net|org))?|test|invalid|localhost)$")
"""Domains that belong to nobody (RFC 2606)."""
_CARD = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}"
    r"|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"
    r"|6(?:011|5\d\d|4[4-9]\d|2\d\d)\d{12}"
)
"""First digits and lengths of the numbers of card schemes (ISO/IEC 7812): Visa, American Express,
Diners Club, Mastercard, Discover and UnionPay."""
_LOOK_AROUND = re.compile(r"\(\?<?[=!](?:[^()\\]|\\.)*\)")
_LONG_REPEAT = re.compile(r"\{(\d+),\d{4,}\}")


def personal_data(
    texts: pa.LargeStringArray, kinds: tuple[PersonalKind, ...], regions: tuple[str, ...]
) -> dict[int, str]:
    """The texts with personal data in them, by place: what was found first, its start shown.

    Args:
        regions: countries (ISO 3166) whose numbers count without their prefix too; numbers that
            start with `+` always count.
    """
    finders: dict[PersonalKind, Callable[[str], Iterator[str]]] = {
        "email": _emails,
        "phone": lambda text: _phones(text, regions),
        "ip": _addresses,
        "card": _cards,
    }
    names = {"email": "an e-mail address", "phone": "a telephone number", "ip": "an IP address"}
    found: dict[int, str] = {}
    for kind in kinds:
        for place, text in _matching(texts, _PATTERNS[kind]):
            value = None if place in found else next(finders[kind](text), None)
            if value is not None:
                found[place] = f"{names.get(kind, 'a card number')}: {_masked(value)}"
    return found


def secrets(texts: pa.LargeStringArray) -> dict[int, str]:
    """The texts with a token or key in them, by place: its kind, with its start."""
    found: dict[int, str] = {}
    for place, text in _matching(texts, _any_secret()):
        for detector in _detectors():
            pieces = _pieces(text)
            values = (v for piece in pieces for v in detector.analyze_string(piece) if v)
            if (value := next(values, None)) is not None:
                found[place] = f"{detector.secret_type}: {_masked(value)}"
                break
    return found


def _pieces(text: str) -> Iterator[str]:
    """A text line by line, as the library reads it; long lines in pieces that overlap.

    Its patterns run on Python's `re`, where some take time in the square of what they read.
    """
    for line in text.splitlines():
        for start in range(0, max(len(line) - _OVERLAP, 1), _PIECE - _OVERLAP):
            yield line[start : start + _PIECE]


def _matching(texts: pa.LargeStringArray, pattern: str) -> Iterator[tuple[int, str]]:
    """The texts that a pattern matches somewhere, with their places."""
    import numpy as np
    import pyarrow.compute as pc

    matches = pc.match_substring_regex(texts, pattern)
    for place in np.flatnonzero(matches.to_numpy(zero_copy_only=False)).tolist():
        yield place, texts[place].as_py()


def _masked(value: str) -> str:
    return f"`{value[:_SHOWN]}…`, {len(value)} characters"


def _all(kind: PersonalKind, text: str) -> Iterator[str]:
    return (match.group() for match in compiled(_PATTERNS[kind]).finditer(text))


def _emails(text: str) -> Iterator[str]:
    return (found for found in _all("email", text) if not _RESERVED.search(found.lower()))


def _phones(text: str, regions: tuple[str, ...]) -> Iterator[str]:
    from phonenumbers import PhoneNumberMatcher

    for region in (None, *regions):
        for match in PhoneNumberMatcher(text, region):
            yield match.raw_string


def _addresses(text: str) -> Iterator[str]:
    for match in _all("ip", text):
        found = match.rstrip(":.")
        try:
            address = ipaddress.ip_address(found)
        except ValueError:
            continue
        if address.is_global:
            yield found


def _cards(text: str) -> Iterator[str]:
    for found in _all("card", text):
        digits = re.sub(r"[ \-]", "", found)
        if _CARD.fullmatch(digits) and _keeps_luhn(digits):
            yield found


def _keeps_luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1)."""
    doubled = [int(digit) * 2 for digit in digits[-2::-2]]
    return (sum(map(int, digits[::-2])) + sum(n - 9 * (n > 9) for n in doubled)) % 10 == 0


def known_regions() -> frozenset[str]:
    """The countries of which telephone numbers are known, by their ISO 3166 codes."""
    from phonenumbers import SUPPORTED_REGIONS

    return frozenset(SUPPORTED_REGIONS)


@lru_cache(maxsize=1)
def _detectors() -> tuple[Any, ...]:
    """The detectors of the library that go by a token's form."""
    import importlib
    import inspect
    import pkgutil

    from detect_secrets import plugins
    from detect_secrets.plugins.base import RegexBasedDetector
    from detect_secrets.plugins.ip_public import IPPublicDetector

    found: list[Any] = []
    for module in pkgutil.iter_modules(plugins.__path__, f"{plugins.__name__}."):
        members = inspect.getmembers(importlib.import_module(module.name), inspect.isclass)
        found += [
            detector()
            for _, detector in members
            if detector.__module__ == module.name
            and issubclass(detector, RegexBasedDetector)
            and detector not in (RegexBasedDetector, IPPublicDetector)
        ]
    return tuple(found)


@lru_cache(maxsize=1)
def _any_secret() -> str:
    """A pattern of RE2 that matches wherever one of the library's does, and elsewhere at times.

    RE2 has no look-around; without it a pattern only matches more.
    """
    weaker = []
    for detector in _detectors():
        for pattern in detector.denylist:
            text = _LONG_REPEAT.sub(r"{\1,}", _LOOK_AROUND.sub("", pattern.pattern))
            flag = "i" if pattern.flags & re.IGNORECASE else ""
            compiled(text)
            weaker.append(f"(?{flag}:{text})")
    return "|".join(weaker)
